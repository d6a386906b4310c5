import { meaning } from "../../app/palette";
import { Answer } from "../../parts/Answer";
import { Chart } from "../../parts/Chart";
import { Ranking } from "../../parts/Ranking";
import { longDay } from "../../view/days";
import { percent } from "../../view/numbers";
import { useAnswer } from "../../view/use-answer";
import { useLastDay } from "../../view/use-last-day";
import { useView } from "../../view/use-view";
import { newestFirst } from "../../view/versions";

/** The versions below the latest release that devices still run. */
export function Outdated() {
  const { view, toggle } = useView();
  const day = useLastDay();
  const answer = useAnswer("/telemetry/breakdown", { by: "version", statuses: "outdated", from: day, to: day });
  return (
    <Answer query={answer} height={320}>
      {({ rows, definitions, incomplete }) => (
        <Chart
          title="Outdated versions"
          definition={definitions["devices"]}
          incomplete={incomplete}
          units={`Distinct devices below the latest release on ${longDay(day)} (UTC)`}
          file="outdated-versions"
          empty="No device was below the latest release on that day."
          rows={rows}
          identity={(row) => row.value}
          columns={[
            { title: "Version", value: (row) => row.value, compare: (a, b) => newestFirst(a.value, b.value) },
            { title: "Devices", value: (row) => row.devices, isNumber: true },
            { title: "Share", value: (row) => row.share, shown: (row) => percent(row.share), isNumber: true },
          ]}
        >
          <Ranking
            ranks={rows}
            noun="version"
            color={meaning("outdated")}
            picked={view.versions}
            onPick={(value) => toggle("versions", value)}
            most={12}
          />
        </Chart>
      )}
    </Answer>
  );
}
