import { shortDay } from "../view/days";
import classes from "./DayChart.module.css";
import type { Mark, Point } from "./DayChart";
import type { Drawing } from "./day-chart";
import { labelled } from "./scale";

/** The room of a mark's label, in pixels. */
const ROOM = 90;

interface AxesProps {
  drawing: Drawing;
  points: readonly Point[];
  marks: readonly Mark[];
  amount: (value: number) => string;
  short: ((date: string) => string) | undefined;
}

/** The lines and words around a chart: amounts, days, and what happened on them. */
export function Axes({ drawing, points, marks, amount, short = shortDay }: AxesProps) {
  const { left, right, top, bottom, x, y } = drawing;
  const named = labelled(points.length, Math.floor((right - left) / 64));
  return (
    <g className={classes["axes"]}>
      {drawing.ticks.map((tick) => (
        <g key={tick}>
          <line x1={left} x2={right} y1={y(tick)} y2={y(tick)} />
          <text x={left - 8} y={y(tick)} dy="0.32em" textAnchor="end">
            {amount(tick)}
          </text>
        </g>
      ))}
      {named.map((at) => (
        <text key={at} x={x(at)} y={bottom + 18} textAnchor={anchor(x(at), left, right)}>
          {short(points[at]?.date ?? "")}
        </text>
      ))}
      {marks.map(({ date, label, isMinor = false }, row) => {
        const at = points.findIndex((point) => point.date === date);
        if (at < 0) return null;
        const isNamed = !isMinor || right - left > marks.length * ROOM;
        const isRight = x(at) > (left + right) / 2;
        return (
          <g key={label} className={classes["mark"]}>
            <line x1={x(at)} x2={x(at)} y1={top - 6} y2={bottom} />
            <text x={x(at) + (isRight ? -5 : 5)} y={top + 2 + (row % 3) * 13} textAnchor={isRight ? "end" : "start"}>
              {isNamed ? label : ""}
            </text>
          </g>
        );
      })}
    </g>
  );
}

/** The first and the last word stay within the chart. */
function anchor(x: number, left: number, right: number): "start" | "middle" | "end" {
  if (x > right - 20) return "end";
  return x < left + 4 ? "start" : "middle";
}
