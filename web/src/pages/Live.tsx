import { series } from "../app/palette";
import { Figure } from "../parts/Figure";
import { Figures, Halves, Stacked } from "../parts/Layout";
import { Notice } from "../parts/Notice";
import { Panel } from "../parts/Panel";
import { Ranking } from "../parts/Ranking";
import { Waiting } from "../parts/Waiting";
import { DIMENSIONS } from "../view/dimensions";
import { type Live as Told, useLive } from "../view/live";
import { share, whole } from "../view/numbers";
import { useView } from "../view/use-view";
import { ViewBar } from "../view/ViewBar";
import classes from "./live/Live.module.css";
import { LastChecks } from "./live/LastChecks";
import { Rate } from "./live/Rate";

/** Which devices are there right now. */
export function Live() {
  const live = useLive();
  if (live.refused?.isTelemetryOff) throw live.refused;
  return (
    <>
      <ViewBar title="Live" isTimeless />
      <State live={live} />
      {live.now === undefined ? <Waiting height={300} /> : <Contents live={live} now={live.now} />}
    </>
  );
}

function Contents({ live, now }: { live: Told; now: NonNullable<Told["now"]> }) {
  const { last_5_minutes: five, last_30_minutes: thirty } = now;
  const definitions = live.about?.definitions ?? {};
  return (
    <Stacked>
      <Figures>
        <Figure title="Devices, last 5 minutes" definition={definitions["devices"]} value={whole(five.devices)} />
        <Figure title="Devices, last 30 minutes" definition={definitions["devices"]} value={whole(thirty.devices)} />
        <Figure
          title="Checks per second"
          definition={definitions["checks_per_second"]}
          value={now.checks_per_second.toLocaleString("en-US", { maximumFractionDigits: 1 })}
        />
      </Figures>
      <Panel title="Checks per second" definition={definitions["checks_per_second"]} units="The last two minutes; each point is the mean of 10 seconds">
        <Rate rates={live.rates} />
      </Panel>
      <Halves>
        <Now by="platform" definition={definitions["platforms"]} rows={thirty.platforms} of={thirty.devices} color={series(2)} />
        <Now by="version" definition={definitions["versions"]} rows={thirty.versions} of={thirty.devices} color={series(0)} />
      </Halves>
      <LastChecks checks={live.checks} instance={live.about?.instances["checks"]} definition={definitions["checks"]} />
    </Stacked>
  );
}

interface NowProps {
  by: "platform" | "version";
  definition: string | undefined;
  rows: readonly { value: string; devices: number }[];
  of: number;
  color: string;
}

function Now({ by, definition, rows, of, color }: NowProps) {
  const { view, toggle } = useView();
  const { one, filter } = DIMENSIONS[by];
  return (
    <Panel title={`Devices by ${one}`} definition={definition} units="Distinct devices of the last 30 minutes">
      {rows.length === 0 ? (
        <Notice title="No device checked in the last 30 minutes" icon="empty">
          This fills as soon as one does.
        </Notice>
      ) : (
        <Ranking
          ranks={rows.map((row) => ({ ...row, share: share(row.devices, of) }))}
          noun={one}
          color={color}
          picked={view[filter]}
          onPick={(value) => toggle(filter, value)}
        />
      )}
    </Panel>
  );
}

const STATES = {
  connecting: "Connecting",
  open: "",
  lost: "The connection is lost. It is tried again every two seconds.",
  refused: "The server refused. Load the page anew to try again.",
  ended: "The stream has ended.",
} as const;

function State({ live }: { live: Told }) {
  const said = [STATES[live.state], live.reason ?? "", live.refused?.explained ?? ""].filter((text) => text !== "").join(" ");
  return (
    <p role="status" className={classes["state"]}>
      {said}
    </p>
  );
}
