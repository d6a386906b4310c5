import { SegmentedControl } from "@mantine/core";
import { useState } from "react";

import { compareValues, type Dimension, DIMENSIONS } from "../view/dimensions";
import { linesOf, sharesOf } from "../view/series";
import { useAnswer } from "../view/use-answer";
import { Answer } from "./Answer";
import { Chart } from "./Chart";
import { DayChart, type Mark } from "./DayChart";

interface DistributionChartProps {
  by: Dimension;
  marks?: readonly Mark[];
}

/** What devices ran, day by day: as numbers or as shares of the day. */
export function DistributionChart({ by, marks = [] }: DistributionChartProps) {
  const [isShare, setShare] = useState(false);
  const answer = useAnswer("/telemetry/breakdown", { by, over: "time" });
  const { one, title: heading } = DIMENSIONS[by];
  const title = `Devices by ${one} over time`;
  return (
    <Answer query={answer} height={360}>
      {(breakdown) => {
        const { lines, points } = linesOf(breakdown, compareValues(by));
        const rows = points.flatMap((point) => lines.map((line) => ({ point, line })));
        return (
          <Chart
            title={title}
            definition={breakdown.definitions["devices"]}
            incomplete={breakdown.incomplete}
            units={isShare ? "Share of the day's devices (UTC days)" : "Distinct devices per day (UTC)"}
            file={`devices-by-${one}-over-time`}
            rows={rows}
            identity={({ point, line }) => `${point.date} ${line.name}`}
            columns={[
              { title: "Day (UTC)", value: ({ point }) => point.date },
              { title: heading, value: ({ line }) => line.title },
              { title: "Devices", value: ({ point, line }) => point[line.name] ?? null, isNumber: true },
            ]}
          >
            <div>
              <SegmentedControl
                size="xs"
                aria-label="Unit"
                value={isShare ? "share" : "devices"}
                onChange={(value) => setShare(value === "share")}
                data={[
                  { value: "devices", label: "Devices" },
                  { value: "share", label: "Share" },
                ]}
              />
            </div>
            <DayChart
              label={title}
              points={isShare ? sharesOf(points, lines) : points}
              lines={lines}
              marks={marks}
              isShare={isShare}
              isStacked
              height={300}
            />
          </Chart>
        );
      }}
    </Answer>
  );
}
