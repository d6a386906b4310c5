import { useElementSize } from "@mantine/hooks";

import { meaning, series } from "../app/palette";
import { counted, whole } from "../view/numbers";
import classes from "./FlowChart.module.css";
import { type End, type Flow, layOut } from "./flow";

interface FlowChartProps {
  flows: readonly Flow[];
  /** What stands over both sides. */
  sides: readonly [string, string];
  height?: number;
}

const BAR = 10;
const TOP = 24;

/** Flows as bands between two columns; the table beside it has the same numbers. */
export function FlowChart({ flows, sides, height = 380 }: FlowChartProps) {
  const { ref, width } = useElementSize();
  const { left, right, bands } = layOut(flows, height - TOP - 8);
  const room = Math.min(150, width * 0.3);
  const [x1, x2] = [room, Math.max(room, width - room)];
  const middle = (x1 + x2) / 2;
  const colors = new Map(left.map((end, at) => [end.name, end.name === "new" ? meaning("held") : series(at)]));
  return (
    <div ref={ref} className={classes["flows"]}>
      <svg width={width} height={height} aria-hidden="true">
        <text x={x1} y={12} textAnchor="end" className={classes["side"]}>
          {sides[0]}
        </text>
        <text x={x2} y={12} className={classes["side"]}>
          {sides[1]}
        </text>
        <g transform={`translate(0 ${TOP})`}>
          {bands.map((band) => {
            const [a, b] = [band.y1 + band.height / 2, band.y2 + band.height / 2];
            return (
              <path
                key={`${band.from} ${band.to}`}
                d={`M${x1 + BAR},${a}C${middle},${a} ${middle},${b} ${x2 - BAR},${b}`}
                fill="none"
                stroke={colors.get(band.from)}
                strokeWidth={Math.max(1, band.height)}
                className={classes["band"]}
              >
                <title>{`${band.from} → ${band.to}: ${counted(band.devices, "device")}`}</title>
              </path>
            );
          })}
          {left.map((end) => (
            <Bar key={end.name} end={end} x={x1} isLeft color={colors.get(end.name) ?? ""} />
          ))}
          {right.map((end) => (
            <Bar key={end.name} end={end} x={x2 - BAR} color="var(--quiet)" />
          ))}
        </g>
      </svg>
    </div>
  );
}

function Bar({ end, x, isLeft = false, color }: { end: End; x: number; isLeft?: boolean; color: string }) {
  return (
    <g>
      <rect x={x} y={end.y} width={BAR} height={end.height} rx={2} fill={color} />
      <text
        x={isLeft ? x - 6 : x + BAR + 6}
        y={end.y + end.height / 2}
        dy="0.32em"
        textAnchor={isLeft ? "end" : "start"}
        className={classes["name"]}
      >
        {end.name} <tspan className={classes["number"]}>{whole(end.devices)}</tspan>
      </text>
    </g>
  );
}
