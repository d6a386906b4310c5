import { type Day, dayOf, plus } from "./days";
import { useView } from "./use-view";

/** The last day of the view that is over; today where the view has no other. */
export function useLastDay(): Day {
  const { question } = useView();
  const today = dayOf(new Date());
  return question.to >= today && question.from < today ? plus(today, -1) : question.to;
}
