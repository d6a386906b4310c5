import { longDay } from "../view/days";
import classes from "./Incomplete.module.css";

/** Says which of the days that are shown lack something. */
export function Incomplete({ days }: { days: readonly string[] }) {
  const [first, last] = [days[0], days.at(-1)];
  if (first === undefined || last === undefined) return null;
  const which = first === last ? longDay(first) : `${days.length} days from ${longDay(first)} to ${longDay(last)}`;
  return (
    <p className={classes["incomplete"]}>
      {`Numbers of ${which} are incomplete: the days are no longer kept, or lost something.`}
    </p>
  );
}
