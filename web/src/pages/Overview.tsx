import { meaning, series } from "../app/palette";
import { Answer } from "../parts/Answer";
import { BreakdownChart } from "../parts/BreakdownChart";
import { Halves, Stacked } from "../parts/Layout";
import { TrendChart } from "../parts/TrendChart";
import { useAnswer } from "../view/use-answer";
import { useView } from "../view/use-view";
import { filtered } from "../view/view";
import { ViewBar } from "../view/ViewBar";
import { Findings } from "./attention/Findings";
import { FirstCheck } from "./first/FirstCheck";
import { Headline } from "./overview/Headline";

/** How many devices there are, whether it is growing, and what they run. */
export function Overview() {
  const { view } = useView();
  const attention = useAnswer("/telemetry/attention");
  const trend = useAnswer("/telemetry/trend");
  return (
    <>
      <ViewBar title="Overview" />
      <Stacked>
        <Answer query={trend} height={480}>
          {(answer) => (answer.summary.devices === 0 && filtered(view) === 0 ? (
            <FirstCheck />
          ) : (
            <>
              <Headline trend={answer} />
              <TrendChart
                title="Active devices per day"
                units="Distinct devices per day (UTC)"
                trend={answer}
                lines={[
                  { field: "devices", title: "Active", color: series(0) },
                  { field: "outdated", title: "Outdated", color: meaning("outdated") },
                ]}
              />
            </>
          ))}
        </Answer>
        <Answer query={attention} height={200}>
          {(answer) => <Findings attention={answer} most={3} />}
        </Answer>
        <Halves>
          <BreakdownChart by="version" color={series(0)} />
          <BreakdownChart by="platform" color={series(2)} />
        </Halves>
      </Stacked>
    </>
  );
}
