import { meaning } from "../../app/palette";
import { Answer } from "../../parts/Answer";
import { Chart } from "../../parts/Chart";
import { Ranking } from "../../parts/Ranking";
import { longDay } from "../../view/days";
import { percent, share, whole } from "../../view/numbers";
import { useAnswer } from "../../view/use-answer";
import { useLastDay } from "../../view/use-last-day";
import { useView } from "../../view/use-view";

/** The statuses of devices that the latest release is offered to. */
const OFFERED = "latest,outdated";

/**
 * How much of each platform ended the last whole day on the latest release: the one that lags has a problem. Devices that
 * a staged rollout holds back are left out, because nobody has offered it to them.
 */
export function UpdateRate() {
  const { view, toggle } = useView();
  const day = useLastDay();
  const answer = useAnswer("/telemetry/matrix", { rows: "platform", columns: "status", statuses: OFFERED, from: day, to: day });
  return (
    <Answer query={answer} height={320}>
      {({ rows, columns, definitions, incomplete }) => {
        const at = columns.indexOf("latest");
        const rates = rows
          .map((row) => ({ value: row.value, all: row.total, devices: row.cells[at] ?? 0 }))
          .map((row) => ({ ...row, share: share(row.devices, row.all) }))
          .toSorted((a, b) => (b.share ?? 0) - (a.share ?? 0));
        return (
          <Chart
            title="On the latest release, by platform"
            definition={definitions["cells"]}
            incomplete={incomplete}
            units={`Share of the devices it is offered to, on ${longDay(day)} (UTC)`}
            file="on-latest-by-platform"
            rows={rates}
            identity={(rate) => rate.value}
            columns={[
              { title: "Platform", value: (rate) => rate.value },
              { title: "On the latest release", value: (rate) => rate.devices, isNumber: true },
              { title: "Offered to", value: (rate) => rate.all, isNumber: true },
              { title: "Share", value: (rate) => rate.share, shown: (rate) => percent(rate.share), isNumber: true },
            ]}
          >
            <Ranking
              ranks={rates.map((rate) => ({ ...rate, width: rate.share ?? 0, note: `of ${whole(rate.all)}` }))}
              noun="platform"
              color={meaning("latest")}
              picked={view.platforms}
              onPick={(value) => toggle("platforms", value)}
            />
          </Chart>
        );
      }}
    </Answer>
  );
}
