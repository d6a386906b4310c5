import { longDay } from "../view/days";
import classes from "./Unknown.module.css";

interface UnknownProps {
  unknown: readonly { field: string; dates: readonly string[]; reason: string }[];
  /** The fields that are shown, with their names for people. */
  fields: Readonly<Record<string, string>>;
}

/** Says which numbers of a chart are not known, and why. */
export function Unknown({ unknown, fields }: UnknownProps) {
  const told = unknown.filter(({ field, dates }) => lastWord(field) in fields && dates.length > 0);
  if (told.length === 0) return null;
  return (
    <ul className={classes["unknown"]}>
      {told.map(({ field, dates, reason }) => (
        <li key={`${field} ${reason}`}>
          {`${field.replace(lastWord(field), fields[lastWord(field)] ?? "")} is not known for ${span(dates)}: ${reason}`}
        </li>
      ))}
    </ul>
  );
}

/** The field itself: that of a release has its version before it. */
function lastWord(field: string): string {
  return field.split(" ").at(-1) ?? field;
}

function span(dates: readonly string[]): string {
  const [first, last] = [dates[0] ?? "", dates.at(-1) ?? ""];
  return dates.length === 1 ? longDay(first) : `${dates.length} days from ${longDay(first)} to ${longDay(last)}`;
}
