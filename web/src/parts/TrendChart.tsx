import type { ReadAnswer } from "../api/server";
import { percent } from "../view/numbers";
import { useView } from "../view/use-view";
import { Chart } from "./Chart";
import { DayChart, type Line, type Point } from "./DayChart";
import { Unknown } from "./Unknown";

export type Trend = ReadAnswer<"/telemetry/trend">;
type TrendDay = Trend["days"][number];

/** A number of each day. */
export type TrendField = Exclude<keyof TrendDay, "date" | "from_totals">;

export interface TrendLine {
  field: TrendField;
  title: string;
  color: string;
}

interface TrendChartProps {
  title: string;
  units: string;
  trend: Trend;
  lines: readonly TrendLine[];
  isShare?: boolean;
  isStacked?: boolean;
}

/** Numbers of the trend as lines, with the period before beside them if the view says so. */
export function TrendChart({ title, units, trend, lines, isShare = false, isStacked = false }: TrendChartProps) {
  const { view } = useView();
  const isCompared = view.compare === true && !isStacked;
  const before = (at: number, field: TrendField) => trend.previous.days[at]?.[field] ?? null;
  const points = trend.days.map((day, at): Point => {
    const now = lines.map(({ field }) => [field, day[field] ?? null] as const);
    const earlier = isCompared ? lines.map(({ field }) => [`before ${field}`, before(at, field)] as const) : [];
    return { date: day.date, ...Object.fromEntries([...now, ...earlier]) };
  });
  const drawn = lines.flatMap(({ field, title: name, color }): Line[] => {
    const line = { name: field, title: name, color };
    const earlier = { name: `before ${field}`, title: `${name}, period before`, color, isFaint: true };
    return isCompared ? [line, earlier] : [line];
  });
  return (
    <Chart
      title={title}
      definition={lines.map(({ field }) => trend.definitions[field]).filter(Boolean).join(" ")}
      units={units}
      file={title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}
      rows={points}
      identity={(point) => point.date}
      columns={[
        { title: "Day (UTC)", value: (point) => point.date },
        ...drawn.map((line) => ({
          title: line.title,
          value: (point: Point) => point[line.name] ?? null,
          ...(isShare ? { shown: (point: Point) => percent(point[line.name] as number | null) } : {}),
          isNumber: true,
        })),
      ]}
    >
      <DayChart label={title} points={points} lines={drawn} isShare={isShare} isStacked={isStacked} />
      <Unknown unknown={shown(trend, isCompared)} fields={Object.fromEntries(lines.map((line) => [line.field, line.title]))} />
    </Chart>
  );
}

/** What is not known of the days that are shown: those of the period before are shown only where it is compared. */
function shown({ unknown, from }: Trend, isCompared: boolean): Trend["unknown"] {
  return isCompared ? unknown : unknown.map((one) => ({ ...one, dates: one.dates.filter((date) => date >= from) }));
}
