import { percent } from "../view/numbers";
import { compareValues, type Dimension, DIMENSIONS } from "../view/dimensions";
import { useAnswer } from "../view/use-answer";
import { useView } from "../view/use-view";
import { Answer } from "./Answer";
import { Chart } from "./Chart";
import { Ranking } from "./Ranking";

interface BreakdownChartProps {
  by: Dimension;
  color: string;
  /** Its title, if not `Devices by version` and the like. */
  title?: string;
  most?: number;
}

/** The devices of each value of a dimension; pressing one filters by it. */
export function BreakdownChart({ by, color, title, most }: BreakdownChartProps) {
  const { view, toggle } = useView();
  const answer = useAnswer("/telemetry/breakdown", { by });
  const { filter, one, title: heading } = DIMENSIONS[by];
  const compare = compareValues(by);
  return (
    <Answer query={answer} height={320}>
      {({ rows, definitions, incomplete }) => (
        <Chart
          title={title ?? `Devices by ${one}`}
          definition={definitions["devices"]}
          incomplete={incomplete}
          units="Distinct devices in the range (UTC days)"
          file={`devices-by-${one}`}
          rows={rows}
          identity={(row) => row.value}
          columns={[
            { title: heading, value: (row) => row.value, compare: (a, b) => compare(a.value, b.value) },
            { title: "Devices", value: (row) => row.devices, isNumber: true },
            { title: "Share", value: (row) => row.share, shown: (row) => percent(row.share), isNumber: true },
            { title: "Checks", value: (row) => row.requests, isNumber: true },
          ]}
        >
          <Ranking
            ranks={rows}
            noun={one}
            color={color}
            picked={view[filter]}
            onPick={(value) => toggle(filter, value)}
            {...(most === undefined ? {} : { most })}
          />
        </Chart>
      )}
    </Answer>
  );
}
