import { share, whole } from "../view/numbers";
import { compareValues, type Dimension, DIMENSIONS } from "../view/dimensions";
import { useAnswer } from "../view/use-answer";
import { useView } from "../view/use-view";
import { Answer } from "./Answer";
import { Chart } from "./Chart";
import { HeatMap } from "./HeatMap";

/** How many rows are shown at first. */
const FIRST = 15;

interface MatrixChartProps {
  rows: Dimension;
  columns: Dimension;
}

/** Devices by two dimensions at once; a cell of a stronger colour is a greater part of its column. */
export function MatrixChart({ rows: by, columns: over }: MatrixChartProps) {
  const { toggle } = useView();
  const answer = useAnswer("/telemetry/matrix", { rows: by, columns: over });
  const [row, column] = [DIMENSIONS[by], DIMENSIONS[over]];
  const title = `${row.title} by ${column.one}`;
  const compare = compareValues(by);
  return (
    <Answer query={answer} height={360}>
      {({ rows, columns, column_totals, definitions, incomplete }) => {
        const byValue = (a: { value: string }, b: { value: string }) => compare(a.value, b.value);
        // The greatest rows come first, and each part in its own order.
        const sorted = [...rows.slice(0, FIRST).toSorted(byValue), ...rows.slice(FIRST).toSorted(byValue)];
        const shares = rows.flatMap((one) => one.cells.map((cell, at) => share(cell, column_totals[at]) ?? 0));
        const most = Math.max(...shares) || 1;
        return (
          <Chart
            title={title}
            definition={definitions["cells"]}
            incomplete={incomplete}
            units={`Distinct devices in the range; the stronger the colour, the greater the share of the ${column.one}`}
            file={`${by}-by-${over}`}
            rows={sorted}
            identity={(one) => one.value}
            columns={[
              { title: row.title, value: (one) => one.value, compare: byValue },
              { title: "Total", value: (one) => one.total, isNumber: true },
              ...columns.map((name, at) => ({
                title: name,
                value: (one: (typeof rows)[number]) => one.cells[at] ?? null,
                isNumber: true,
              })),
            ]}
          >
            <HeatMap
              caption={title}
              heading={row.title}
              columns={columns}
              rows={sorted.map((one) => ({ name: one.value, total: one.total, cells: one.cells }))}
              shown={(cell) => whole(cell)}
              heat={(cell, at) => (share(cell, column_totals[at]) ?? 0) / most}
              most={FIRST}
              onPick={(value) => toggle(row.filter, value)}
            />
          </Chart>
        );
      }}
    </Answer>
  );
}
