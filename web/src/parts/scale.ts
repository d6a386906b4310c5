/** Round numbers from 0 up to at least `most`, in about as many steps as wanted. Counts have no fractions. */
export function ticks(most: number, wanted = 4): number[] {
  const rough = Math.max(most, 1) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10));
  const whole = Number.isInteger(step) ? step : Math.ceil(step);
  const steps = Math.max(1, Math.ceil(most / whole));
  return Array.from({ length: steps + 1 }, (_, at) => at * whole);
}

/** Which of so many places get a label, when as many fit: evenly spread, and always the last. */
export function labelled(places: number, fitting: number): number[] {
  if (places <= 1) return places === 1 ? [0] : [];
  const every = Math.ceil((places - 1) / Math.max(1, fitting - 1));
  const chosen: number[] = [];
  for (let at = places - 1; at >= 0; at -= every) chosen.unshift(at);
  return chosen;
}

/** A point of a line; null is a gap. */
export type Place = readonly [x: number, y: number] | null;

/** The path of a line that has a gap wherever a number is not known. */
export function linePath(places: readonly Place[]): string {
  let isOn = false;
  return places
    .map((place) => {
      if (place === null) {
        isOn = false;
        return "";
      }
      const command = isOn ? "L" : "M";
      isOn = true;
      return `${command}${place[0].toFixed(1)},${place[1].toFixed(1)}`;
    })
    .join("");
}

/** The path of the area between two lines; both know the same places. */
export function areaPath(upper: readonly Place[], lower: readonly Place[]): string {
  const known = upper.flatMap((place, at) => {
    const below = lower[at];
    return place === null || below == null ? [] : [{ place, below }];
  });
  if (known.length === 0) return "";
  const back = known.map(({ below }) => below).toReversed();
  return `${linePath(known.map(({ place }) => place))}${linePath(back).replace("M", "L")}Z`;
}
