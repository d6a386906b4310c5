import { Notice } from "../../parts/Notice";
import { Panel } from "../../parts/Panel";
import { type Column, Table } from "../../parts/Table";
import type { LiveCheck } from "../../view/live";

const COLUMNS: readonly Column<LiveCheck>[] = [
  { title: "Time (UTC)", value: (check) => check.at.slice(11, 19) },
  { title: "App", value: (check) => check.app },
  { title: "Version", value: (check) => check.version ?? null },
  { title: "Platform", value: (check) => check.platform ?? null },
  { title: "Architecture", value: (check) => check.arch ?? null },
  { title: "Channel", value: (check) => check.channel ?? null },
  { title: "Status", value: (check) => check.status ?? null },
  { title: "Outcome", value: (check) => outcome(check) },
];

function outcome({ outcome: became, reason, checks }: LiveCheck): string {
  const why = reason == null ? became : `${became}: ${reason}`;
  return checks > 1 ? `${why} (${checks.toLocaleString("en-US")} checks)` : why;
}

interface LastChecksProps {
  checks: readonly LiveCheck[];
  /** Whose checks these are: of `all` instances, or of `this` one. */
  instance: string | undefined;
  definition: string | undefined;
}

/** The last checks, as they come; nothing tells one device from another. */
export function LastChecks({ checks, instance, definition }: LastChecksProps) {
  const whose = instance === "all" ? "of all instances" : "of the instance that serves this page";
  return (
    <Panel title="Last checks" definition={definition} units={`The last 50, ${whose}`}>
      {checks.length === 0 ? (
        <Notice title="No check has come yet" icon="empty">
          Checks stand here as soon as they are answered.
        </Notice>
      ) : (
        <Table caption="Last checks" columns={COLUMNS} rows={checks} identity={(check) => String(check.key)} />
      )}
    </Panel>
  );
}
