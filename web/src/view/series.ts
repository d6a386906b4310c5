import type { Wire } from "../api/client";
import { isMeaning, meaning, series } from "../app/palette";
import type { Line, Point } from "../parts/DayChart";

/** How many values have a line of their own; the others share one. */
const MOST = 7;
const OTHERS = "others";

/** A breakdown over time as lines: the most frequent values, in their own order, and one for all others. */
export function linesOf(
  breakdown: Wire["Breakdown"],
  compare: (left: string, right: string) => number,
): { lines: Line[]; points: Point[]; values: string[] } {
  const values = breakdown.rows.slice(0, MOST).map((row) => row.value);
  const shown = values.toSorted(compare);
  const rest = breakdown.rows.length - values.length;
  const lines: Line[] = shown.map((value, at) => ({ name: `v${at}`, title: value, color: isMeaning(value) ? meaning(value) : series(at) }));
  if (rest > 0) lines.push({ name: OTHERS, title: `${rest} others`, color: meaning("other") });
  const points = (breakdown.series ?? []).map(({ date, values: devices }): Point => {
    const own = shown.map((value, at) => [`v${at}`, devices[values.indexOf(value)] ?? 0] as const);
    const others = devices.slice(values.length).reduce((sum, number) => sum + number, 0);
    return { date, ...Object.fromEntries(own), ...(rest > 0 ? { [OTHERS]: others } : {}) };
  });
  return { lines, points, values: shown };
}

/** The points as shares of their sums; a day without a device has none. */
export function sharesOf(points: readonly Point[], lines: readonly Line[]): Point[] {
  return points.map((point) => {
    const numbers = lines.map((line) => [line.name, Number(point[line.name] ?? 0)] as const);
    const sum = numbers.reduce((total, [, number]) => total + number, 0);
    const shares = numbers.map(([name, number]) => [name, sum === 0 ? null : number / sum] as const);
    return { date: point.date, ...Object.fromEntries(shares) };
  });
}
