import { keepPreviousData, useQuery } from "@tanstack/react-query";

import type { Wire } from "../api/client";
import { read } from "../api/queries";
import { meaning, series } from "../app/palette";
import { Answer } from "../parts/Answer";
import { BreakdownChart } from "../parts/BreakdownChart";
import { Chart } from "../parts/Chart";
import { DayChart } from "../parts/DayChart";
import { Figure } from "../parts/Figure";
import { Figures, Halves, Stacked } from "../parts/Layout";
import { percent, share, whole } from "../view/numbers";
import { useView } from "../view/use-view";
import { filtered, type View } from "../view/view";
import { ViewBar } from "../view/ViewBar";
import { FirstCheck } from "./first/FirstCheck";

type Report = Wire["TelemetryReport"];

/** How many devices there are, whether it is growing, and what they run. */
export function Overview() {
  const { view, question } = useView();
  const { versions: _versions, statuses: _statuses, ...asked } = question;
  const report = useQuery({ ...read("/telemetry", asked), placeholderData: keepPreviousData });
  return (
    <>
      <ViewBar title="Overview" />
      <Answer query={report} height={480}>
        {(answer) => (isNew(answer, view) ? <FirstCheck /> : <Contents report={answer} />)}
      </Answer>
    </>
  );
}

/** Whether nothing was counted, whatever is asked. */
function isNew(report: Report, view: View): boolean {
  return report.daily_stats.length === 0 && filtered(view) === 0;
}

function Contents({ report }: { report: Report }) {
  const { summary } = report;
  const devices = summary.unique_clients;
  return (
    <Stacked>
      <Figures>
        <Figure title="Active devices" definition={MEANINGS.devices} value={whole(devices)} />
        <Figure
          title="On the latest release"
          definition={MEANINGS.latest}
          value={percent(share(summary.clients_using_latest_version, devices))}
          note={`${whole(summary.clients_using_latest_version)} devices`}
        />
        <Figure
          title="Outdated"
          definition={MEANINGS.outdated}
          value={percent(share(summary.clients_outdated, devices))}
          note={`${whole(summary.clients_outdated)} devices`}
        />
        <Figure title="Checks" definition={MEANINGS.requests} value={whole(summary.total_requests)} />
      </Figures>
      <Daily report={report} />
      <Halves>
        <BreakdownChart by="version" color={series(0)} />
        <BreakdownChart by="platform" color={series(2)} />
      </Halves>
    </Stacked>
  );
}

function Daily({ report }: { report: Report }) {
  const points = report.daily_stats.map((day) => ({
    date: day.date,
    devices: day.unique_clients,
    latest: day.clients_using_latest_version,
    outdated: day.clients_outdated,
  }));
  return (
    <Chart
      title="Active devices per day"
      definition={MEANINGS.devices}
      units="Distinct devices per day (UTC)"
      file="active-devices-per-day"
      rows={points}
      identity={(point) => point.date}
      columns={[
        { title: "Day (UTC)", value: (point) => point.date },
        { title: "Devices", value: (point) => point.devices, isNumber: true },
        { title: "On the latest release", value: (point) => point.latest, isNumber: true },
        { title: "Outdated", value: (point) => point.outdated, isNumber: true },
      ]}
    >
      <DayChart
        label="Active devices per day"
        points={points}
        lines={[
          { name: "devices", title: "Active", color: series(0) },
          { name: "latest", title: "On the latest release", color: series(2) },
          { name: "outdated", title: "Outdated", color: meaning("outdated") },
        ]}
      />
    </Chart>
  );
}

const MEANINGS = {
  devices: "Distinct devices that checked within the range and match all filters. A device counts once, however often it checks.",
  latest: "Distinct devices that ended a day of the range on the latest release that they were offered.",
  outdated:
    "Distinct devices that ended a day of the range below the latest release. Over several days a device may be counted here and on the latest release.",
  requests: "Counted checks within the range that match all filters by their own values.",
} as const;
