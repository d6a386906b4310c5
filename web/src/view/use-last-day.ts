import { type Day, dayOf, plus } from "./days";
import { useAnswer } from "./use-answer";
import { useView } from "./use-view";

/** A day, and its devices if they are known. */
interface Counted {
  date: Day;
  devices?: number | null;
}

/** The last day that is over and had devices; the last one of all where there is no other. */
export function lastWhole<D extends Counted>(days: readonly D[]): D | undefined {
  const today = dayOf(new Date());
  return days.findLast((day) => day.date < today && (day.devices ?? 0) > 0) ?? days.at(-1);
}

/** The same of what the view shows. */
export function useLastDay(): Day {
  const { question } = useView();
  const trend = useAnswer("/telemetry/trend");
  const today = dayOf(new Date());
  // As long as nothing is known of the days, yesterday is the likeliest.
  const likeliest = question.to >= today && question.from < today ? plus(today, -1) : question.to;
  return lastWhole(trend.data?.days ?? [])?.date ?? likeliest;
}
