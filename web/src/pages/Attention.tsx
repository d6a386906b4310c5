import { Answer } from "../parts/Answer";
import { Stacked } from "../parts/Layout";
import { useAnswer } from "../view/use-answer";
import { ViewBar } from "../view/ViewBar";
import { Findings } from "./attention/Findings";
import { Quality } from "./attention/Quality";

/** What needs a look, and how good the numbers are. */
export function Attention() {
  const attention = useAnswer("/telemetry/attention");
  const quality = useAnswer("/telemetry/quality");
  return (
    <>
      <ViewBar title="Attention" />
      <Stacked>
        <Answer query={attention} height={300}>
          {(answer) => <Findings attention={answer} />}
        </Answer>
        <Answer query={quality} height={300}>
          {(answer) => <Quality quality={answer} />}
        </Answer>
      </Stacked>
    </>
  );
}
