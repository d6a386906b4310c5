import { series } from "../app/palette";
import { Answer } from "../parts/Answer";
import { Halves, Stacked } from "../parts/Layout";
import { TrendChart } from "../parts/TrendChart";
import { useAnswer } from "../view/use-answer";
import { ViewBar } from "../view/ViewBar";
import { Cohorts } from "./audience/Cohorts";

/** Who comes, who stays and who comes back. */
export function Audience() {
  const trend = useAnswer("/telemetry/trend");
  return (
    <>
      <ViewBar title="Audience" />
      <Stacked>
        <Answer query={trend} height={360}>
          {(answer) => (
            <>
              <TrendChart
                title="New and returning devices per day"
                units="Distinct devices per day (UTC)"
                trend={answer}
                isStacked
                lines={[
                  { field: "returning", title: "Returning", color: series(0) },
                  { field: "new", title: "New", color: series(1) },
                ]}
              />
              <Halves>
                <TrendChart
                  title="Daily, weekly and monthly active devices"
                  units="Distinct devices of 1, 7 and 28 days up to each day (UTC)"
                  trend={answer}
                  lines={[
                    { field: "devices", title: "Daily", color: series(0) },
                    { field: "wau", title: "Weekly (7 days)", color: series(1) },
                    { field: "mau", title: "Monthly (28 days)", color: series(2) },
                  ]}
                />
                <TrendChart
                  title="Stickiness"
                  units="Daily divided by monthly active devices (UTC days)"
                  trend={answer}
                  isShare
                  lines={[{ field: "stickiness", title: "Stickiness", color: series(4) }]}
                />
              </Halves>
            </>
          )}
        </Answer>
        <Cohorts />
      </Stacked>
    </>
  );
}
