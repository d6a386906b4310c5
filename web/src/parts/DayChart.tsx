import { useElementSize } from "@mantine/hooks";
import { type KeyboardEvent, type PointerEvent, useState } from "react";

import { dayOf, longDay } from "../view/days";
import { compact, percent, whole } from "../view/numbers";
import classes from "./DayChart.module.css";
import { Axes } from "./DayChartAxes";
import { type Drawing, draw } from "./day-chart";
import { linePath } from "./scale";
import { Swatch } from "./Swatch";

/** One line over the days. */
export interface Line {
  /** The field of the points. */
  name: string;
  title: string;
  color: string;
  /** Whether it is there to be compared with: dashed. */
  isFaint?: boolean;
}

/** One day: its date, and a number or null for each line. */
export type Point = { readonly date: string } & Readonly<Record<string, string | number | null>>;

/** Something that happened on a day. */
export interface Mark {
  date: string;
  label: string;
  /** Whether its label is left out where there is little room. */
  isMinor?: boolean;
}

export interface DayChartProps {
  points: readonly Point[];
  lines: readonly Line[];
  /** What the chart says, for readers. */
  label: string;
  /** Whether the numbers are shares from 0 to 1. */
  isShare?: boolean;
  /** Whether the lines are parts of a whole, and stand on top of each other. */
  isStacked?: boolean;
  marks?: readonly Mark[];
  /** How a point is called, if not by its day. */
  naming?: { short: (date: string) => string; long: (date: string) => string };
  height?: number;
}

/** Numbers over days, the last of which may not be over. Moving over it, or the arrow keys, go from day to day. */
export function DayChart(props: DayChartProps) {
  const { points, lines, label, isShare = false, marks = [], height = 260 } = props;
  const { ref, width } = useElementSize();
  const [at, setAt] = useState<number>();
  const drawing = draw(props, width, height);
  const today = dayOf(new Date());
  const isOpen = props.naming === undefined && points.at(-1)?.date === today;
  const told = at === undefined ? undefined : points[at];
  const long = props.naming?.long ?? ((date: string) => `${longDay(date)} (UTC)${date === today ? ", so far" : ""}`);
  const format = isShare ? percent : whole;

  function move(event: PointerEvent) {
    const x = event.clientX - event.currentTarget.getBoundingClientRect().left;
    setAt(drawing.nearest(x));
  }

  function step(event: KeyboardEvent) {
    const last = points.length - 1;
    const from = at ?? last + 1;
    const to = { ArrowLeft: Math.max(0, from - 1), ArrowRight: Math.min(last, from + 1), Home: 0, End: last }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      setAt(to);
    } else if (event.key === "Escape") {
      setAt(undefined);
    }
  }

  return (
    <div className={classes["chart"]}>
      <div
        ref={ref}
        className={classes["plot"]}
        role="group"
        tabIndex={0}
        aria-label={`${label}. The arrow keys go from day to day.`}
        onPointerMove={move}
        onPointerLeave={() => setAt(undefined)}
        onBlur={() => setAt(undefined)}
        onKeyDown={step}
      >
        <svg width={width} height={height} aria-hidden="true">
          <Axes
            drawing={drawing}
            points={points}
            marks={marks}
            amount={(value) => (isShare ? percent(value).replace(".0", "") : compact(value))}
            short={props.naming?.short}
          />
          {drawing.lines.map((line) => (
            <DrawnLine key={line.name} line={line} isOpen={isOpen} />
          ))}
          {at !== undefined && <Cursor drawing={drawing} at={at} />}
        </svg>
        {at !== undefined && told !== undefined && (
          <Told drawing={drawing} at={at} title={long(told.date)} point={told} lines={lines} format={format} />
        )}
      </div>
      <Legend lines={lines.length > 1 ? lines : []} isOpen={isOpen} />
    </div>
  );
}

/** What the colours stand for, and that the last day still grows. */
function Legend({ lines, isOpen }: { lines: readonly Line[]; isOpen: boolean }) {
  if (lines.length === 0 && !isOpen) return null;
  return (
    <ul className={classes["legend"]}>
      {lines.map((line) => (
        <li key={line.name}>
          <Swatch color={line.color} isFaint={line.isFaint ?? false} />
          {line.title}
        </li>
      ))}
      {isOpen && <li className={classes["open"]}>Dotted: today, which is not over (UTC)</li>}
    </ul>
  );
}

/** A line; what leads to a day that is not over is dotted. */
function DrawnLine({ line, isOpen }: { line: Drawing["lines"][number]; isOpen: boolean }) {
  const whole = isOpen ? line.places.slice(0, -1) : line.places;
  const look = { fill: "none", stroke: line.color, strokeWidth: 2, strokeLinejoin: "round", strokeLinecap: "round" } as const;
  return (
    <g>
      {line.area !== undefined && <path d={line.area} fill={line.color} fillOpacity={0.5} />}
      <path d={linePath(whole)} strokeDasharray={line.isFaint ? "2 5" : undefined} {...look} />
      {isOpen && <path d={linePath(line.places.slice(-2))} strokeDasharray="0.1 4.5" {...look} />}
      {line.alone.map(([x, y]) => (
        <circle key={x} cx={x} cy={y} r={3} fill={line.color} />
      ))}
    </g>
  );
}

function Cursor({ drawing, at }: { drawing: Drawing; at: number }) {
  const x = drawing.x(at);
  return (
    <g>
      <line x1={x} x2={x} y1={drawing.top} y2={drawing.bottom} stroke="var(--quiet)" strokeDasharray="3 3" />
      {drawing.lines.map((line) => {
        const place = line.places[at];
        return place == null ? null : (
          <circle key={line.name} cx={x} cy={place[1]} r={4} fill={line.color} stroke="var(--surface)" strokeWidth={2} />
        );
      })}
    </g>
  );
}

interface ToldProps {
  drawing: Drawing;
  at: number;
  title: string;
  point: Point;
  lines: readonly Line[];
  format: (value: number | null) => string;
}

/** The numbers of one day, beside the cursor and read aloud. */
function Told({ drawing, at, title, point, lines, format }: ToldProps) {
  const x = drawing.x(at);
  const isRight = x > drawing.width / 2;
  return (
    <div
      className={classes["told"]}
      role="status"
      style={isRight ? { right: drawing.width - x + 12 } : { left: x + 12 }}
    >
      <strong>{title}</strong>
      <dl>
        {lines.map((line) => {
          const value = point[line.name];
          return (
            <div key={line.name}>
              <dt>
                <Swatch color={line.color} isFaint={line.isFaint ?? false} />
                {line.title}
              </dt>
              <dd>{format(typeof value === "number" ? value : null)}</dd>
            </div>
          );
        })}
      </dl>
    </div>
  );
}
