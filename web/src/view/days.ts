/** A UTC day as `YYYY-MM-DD`. Such days sort as text. */
export type Day = string;

const MILLIS = 86_400_000;
const FORM = /^\d{4}-\d{2}-\d{2}$/;

/** The UTC day of a moment. */
export function dayOf(moment: Date): Day {
  return moment.toISOString().slice(0, 10);
}

/** The day so many days later, or earlier. */
export function plus(day: Day, days: number): Day {
  return dayOf(new Date(Date.parse(day) + days * MILLIS));
}

/** How many days the range has, both ends included. */
export function length(from: Day, to: Day): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / MILLIS) + 1;
}

/** Whether the text is a day that the calendar has. */
export function isDay(text: string): boolean {
  if (!FORM.test(text)) return false;
  const time = Date.parse(text);
  return !Number.isNaN(time) && dayOf(new Date(time)) === text;
}

const SHORT = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const LONG = new Intl.DateTimeFormat("en-GB", {
  weekday: "short",
  day: "numeric",
  month: "short",
  year: "numeric",
  timeZone: "UTC",
});

/** A moment of the API as in a table: `2026-11-03 09:30`, in UTC. */
export function minute(moment: string): string {
  return moment.slice(0, 16).replace("T", " ");
}

/** As on an axis: `3 Nov`. */
export function shortDay(day: Day): string {
  return SHORT.format(new Date(day));
}

/** As in a sentence: `Tue, 3 Nov 2026`. */
export function longDay(day: Day): string {
  return LONG.format(new Date(day));
}
