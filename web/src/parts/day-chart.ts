import type { DayChartProps } from "./DayChart";
import { areaPath, type Place, ticks } from "./scale";

const MARGIN = { left: 46, right: 14, top: 14, bottom: 26 };

/** Where everything of a chart is, in pixels. */
export interface Drawing {
  width: number;
  top: number;
  bottom: number;
  left: number;
  right: number;
  /** The numbers that the axis names. */
  ticks: number[];
  /** Where the n-th point is. */
  x: (at: number) => number;
  /** Where a number is. */
  y: (value: number) => number;
  /** The point that is nearest to a place. */
  nearest: (x: number) => number | undefined;
  lines: DrawnLine[];
}

interface DrawnLine {
  name: string;
  color: string;
  isFaint: boolean;
  places: Place[];
  /** The places that no line reaches: there is a gap on both sides. */
  alone: (readonly [number, number])[];
  area: string | undefined;
}

/** Draws a chart into a box of that size. */
export function draw({ points, lines, isShare, isStacked }: DayChartProps, width: number, height: number): Drawing {
  const heights = lines.map((line, at) =>
    points.map((point) => (isStacked === true ? sum(point, lines.slice(0, at + 1)) : number(point[line.name]))),
  );
  const most = Math.max(...heights.flat().map((value) => value ?? 0), 0);
  const marks = isShare === true ? [0, 0.25, 0.5, 0.75, 1] : ticks(most);
  const [left, right] = [MARGIN.left, Math.max(MARGIN.left, width - MARGIN.right)];
  const [top, bottom] = [MARGIN.top, height - MARGIN.bottom];
  const span = points.length - 1;
  const x = (at: number) => (span <= 0 ? (left + right) / 2 : left + (at / span) * (right - left));
  const y = (value: number) => bottom - (value / (marks.at(-1) || 1)) * (bottom - top);
  const placed = heights.map((values) => values.map((value, at): Place => (value === null ? null : [x(at), y(value)])));
  const ground = points.map((_, at): Place => [x(at), bottom]);
  return {
    width,
    top,
    bottom,
    left,
    right,
    ticks: marks,
    x,
    y,
    nearest: (place) => {
      if (points.length === 0) return undefined;
      const at = Math.round(((place - left) / Math.max(1, right - left)) * span);
      return Math.min(Math.max(at, 0), span);
    },
    lines: lines.map((line, at) => {
      const places = placed[at] ?? [];
      return {
        name: line.name,
        color: line.color,
        isFaint: line.isFaint ?? false,
        places,
        alone: places.flatMap((place, day) =>
          place !== null && places[day - 1] == null && places[day + 1] == null ? [place] : [],
        ),
        area: isStacked === true ? areaPath(places, placed[at - 1] ?? ground) : undefined,
      };
    }),
  };
}

function number(value: string | number | null | undefined): number | null {
  return typeof value === "number" ? value : null;
}

/** The sum of the lines, or nothing where none is known. */
function sum(point: Record<string, string | number | null>, lines: readonly { name: string }[]): number | null {
  const known = lines.map((line) => number(point[line.name])).filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((total, value) => total + value, 0);
}
