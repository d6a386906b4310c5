import type { ReadAnswer } from "../../api/server";
import { Answer } from "../../parts/Answer";
import { Chart } from "../../parts/Chart";
import { Figure } from "../../parts/Figure";
import { gathered } from "../../parts/flow";
import { FlowChart } from "../../parts/FlowChart";
import { Figures } from "../../parts/Layout";
import { shortDay } from "../../view/days";
import { whole } from "../../view/numbers";
import { useAnswer } from "../../view/use-answer";

type FlowEnd = ReadAnswer<"/telemetry/upgrades">["flows"][number]["from"];

const TOTALS = { stayed: "Stayed", moved: "Moved", new: "New", returned: "Returned", gone: "Gone" } as const;
const MOST_ENDS = 8;

/** Which versions devices left, and which they came to, between the first and the last day of the range. */
export function Upgrades() {
  const answer = useAnswer("/telemetry/upgrades");
  return (
    <Answer query={answer} height={420}>
      {({ flows, totals, definitions, from, to }) => {
        const rows = flows.map((flow) => ({ from: named(flow.from), to: named(flow.to), devices: flow.devices }));
        return (
          <Chart
            title="Where devices went"
            definition={definitions["flows"] ?? definitions["devices"]}
            units={`Distinct devices, from ${shortDay(from)} to ${shortDay(to)} (UTC)`}
            file="upgrades"
            rows={rows}
            identity={(row) => `${row.from} ${row.to}`}
            empty="Choose a range of at least two days with devices in it."
            columns={[
              { title: "From", value: (row) => row.from },
              { title: "To", value: (row) => row.to },
              { title: "Devices", value: (row) => row.devices, isNumber: true },
            ]}
          >
            <Figures>
              {(["stayed", "moved", "new", "returned", "gone"] as const).map((name) => (
                <Figure key={name} title={TOTALS[name]} definition={definitions[name]} value={whole(totals[name])} />
              ))}
            </Figures>
            <FlowChart flows={gathered(rows, MOST_ENDS, "others")} sides={[shortDay(from), shortDay(to)]} />
          </Chart>
        );
      }}
    </Answer>
  );
}

function named(end: FlowEnd): string {
  return end.version ?? end.kind;
}
