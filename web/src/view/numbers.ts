const WHOLE = new Intl.NumberFormat("en-US");
const COMPACT = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const PERCENT = new Intl.NumberFormat("en-US", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const CHANGE = new Intl.NumberFormat("en-US", { style: "percent", maximumFractionDigits: 1, signDisplay: "exceptZero" });

/** What stands where a number is not known. */
export const UNKNOWN = "–";

/** With thousands separators: `12,345`. */
export function whole(number: number | null | undefined): string {
  return number == null ? UNKNOWN : WHOLE.format(number);
}

/** So many of something that has a plain plural: `1 check`, `2 checks`. */
export function counted(number: number | null | undefined, noun: string): string {
  return `${whole(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** For axes: `12.3K`. */
export function compact(number: number): string {
  return COMPACT.format(number);
}

/** A share from 0 to 1 as `12.3%`. */
export function percent(share: number | null | undefined): string {
  return share == null ? UNKNOWN : PERCENT.format(share);
}

/** How much greater a number is than an earlier one, as `+12.3%`; unknown where the earlier one is 0 or unknown. */
export function change(now: number | null | undefined, before: number | null | undefined): string {
  return now == null || !before ? UNKNOWN : CHANGE.format(now / before - 1);
}

/** A share of a whole; unknown where the whole is 0 or unknown. */
export function share(part: number | null | undefined, of: number | null | undefined): number | null {
  return part == null || !of ? null : part / of;
}
