import { Chart } from "../../parts/Chart";
import { DayChart, type Line, type Point } from "../../parts/DayChart";
import { Unknown } from "../../parts/Unknown";
import { counted, percent } from "../../view/numbers";
import type { AdoptionAnswer } from "./AdoptionCurves";

interface Curve {
  title: string;
  color: string;
  days: AdoptionAnswer["releases"][number]["days"];
}

interface AgeChartProps {
  title: string;
  adoption: AdoptionAnswer;
  curves: readonly Curve[];
}

/** Shares by days since publication. */
export function AgeChart({ title, adoption, curves }: AgeChartProps) {
  const last = Math.max(-1, ...curves.flatMap(({ days }) => days.map((day) => day.age)));
  const lines = curves.map(({ title: name, color }, at): Line => ({ name: `c${at}`, title: name, color }));
  const points = Array.from({ length: last + 1 }, (_, age): Point => {
    const shares = curves.map(({ days }, at) => [`c${at}`, days.find((day) => day.age === age)?.share ?? null] as const);
    return { date: String(age), ...Object.fromEntries(shares) };
  });
  const rows = curves.flatMap(({ title: name, days }) => days.map((day) => ({ name, ...day })));
  return (
    <Chart
      title={title}
      definition={adoption.definitions["share"]}
      units="Share of the day's devices on it or newer, by days since publication (UTC)"
      file={title.toLowerCase().replaceAll(/[^a-z0-9.]+/g, "-")}
      rows={rows}
      identity={(row) => `${row.name} ${row.date}`}
      empty="No day since the publication is within what is kept, or no device checked."
      columns={[
        { title: "Of", value: (row) => row.name },
        { title: "Day (UTC)", value: (row) => row.date },
        { title: "Days since", value: (row) => row.age, isNumber: true },
        { title: "Devices", value: (row) => row.devices ?? null, isNumber: true },
        { title: "On it or newer", value: (row) => row.adopted ?? null, isNumber: true },
        { title: "Share", value: (row) => row.share ?? null, shown: (row) => percent(row.share), isNumber: true },
        { title: "Held back", value: (row) => row.held ?? null, isNumber: true },
      ]}
    >
      <DayChart
        label={title}
        points={points}
        lines={lines}
        isShare
        naming={{ short: (age) => `day ${age}`, long: (age) => `${counted(Number(age), "day")} after publication` }}
      />
      <Unknown unknown={adoption.unknown} fields={{ days: "adoption" }} />
    </Chart>
  );
}
