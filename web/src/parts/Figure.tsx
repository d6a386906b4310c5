import classes from "./Figure.module.css";
import { Definition } from "./Definition";
import { Icon } from "./Icon";

interface FigureProps {
  title: string;
  definition?: string | undefined;
  value: string;
  /** What stands below the number. */
  note?: string | undefined;
  /** How it changed, as `+12.3%`, and against what. */
  change?: { by: string; against: string } | undefined;
}

/** One number that matters, with its meaning. */
export function Figure({ title, definition, value, note, change }: FigureProps) {
  const way = change?.by.startsWith("+") ? "up" : change?.by.startsWith("-") ? "down" : undefined;
  return (
    <div className={classes["figure"]}>
      <dt className={classes["title"]}>
        {title}
        {definition !== undefined && <Definition of={title}>{definition}</Definition>}
      </dt>
      <dd className={classes["value"]}>{value}</dd>
      {change !== undefined && (
        <dd className={classes["change"]} data-way={way}>
          {way !== undefined && <Icon name={way} size={13} />}
          <span>{change.by}</span> <span className={classes["note"]}>{change.against}</span>
        </dd>
      )}
      {note !== undefined && <dd className={classes["note"]}>{note}</dd>}
    </div>
  );
}
