import { SegmentedControl } from "@mantine/core";
import { useState } from "react";

import type { ReadAnswer } from "../../api/server";
import { Answer } from "../../parts/Answer";
import { Chart } from "../../parts/Chart";
import { HeatMap } from "../../parts/HeatMap";
import { Unknown } from "../../parts/Unknown";
import { shortDay } from "../../view/days";
import { percent, share, UNKNOWN } from "../../view/numbers";
import { useAnswer } from "../../view/use-answer";

type Cohort = ReadAnswer<"/telemetry/retention">["cohorts"][number];

/** Of the devices that were first seen in a day or week, how many came back in the n-th after it. */
export function Cohorts() {
  const [by, setBy] = useState<"day" | "week">("week");
  const answer = useAnswer("/telemetry/retention", { by });
  return (
    <Answer query={answer} height={360}>
      {({ cohorts, definitions, unknown }) => {
        const most = Math.max(0, ...cohorts.map((cohort) => cohort.returned.length));
        const steps = Array.from({ length: most }, (_, at) => `${by === "day" ? "Day" : "Week"} ${at}`);
        const returned = (cohort: Cohort, at: number) => share(cohort.returned[at], cohort.devices);
        return (
          <Chart
            title="Devices that came back"
            definition={definitions["returned"] ?? definitions["cohorts"]}
            units={`Share of the devices first seen in the same ${by} (UTC)`}
            file={`retention-by-${by}`}
            rows={cohorts}
            identity={(cohort) => cohort.first}
            columns={[
              { title: `First ${by} (UTC)`, value: (cohort) => cohort.first },
              { title: "Devices", value: (cohort) => cohort.devices ?? null, isNumber: true },
              ...steps.map((title, at) => ({
                title,
                value: (cohort: Cohort) => cohort.returned[at] ?? null,
                isNumber: true,
              })),
            ]}
          >
            <div>
              <SegmentedControl
                size="xs"
                aria-label="Cohorts by"
                value={by}
                onChange={(value) => setBy(value === "day" ? "day" : "week")}
                data={[
                  { value: "week", label: "Weeks" },
                  { value: "day", label: "Days" },
                ]}
              />
            </div>
            <HeatMap
              caption="Devices that came back"
              heading={`First ${by}`}
              total="Devices"
              columns={steps}
              rows={cohorts.map((cohort) => ({
                name: shortDay(cohort.first),
                total: cohort.devices ?? null,
                cells: steps.map((_, at) => returned(cohort, at)),
              }))}
              shown={(cell) => (cell === null ? UNKNOWN : percent(cell))}
              heat={(cell) => cell}
            />
            <Unknown unknown={unknown} fields={{ returned: "How many came back", devices: "The number of devices" }} />
          </Chart>
        );
      }}
    </Answer>
  );
}
