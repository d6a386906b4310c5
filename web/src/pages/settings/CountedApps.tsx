import { Switch } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { startTransition, useOptimistic } from "react";

import type { Wire } from "../../api/client";
import { read } from "../../api/queries";
import { Answer } from "../../parts/Answer";
import { Panel } from "../../parts/Panel";
import { Table } from "../../parts/Table";
import { useSettle } from "./write";

/** Which apps are counted. */
export function CountedApps() {
  const answer = useQuery(read("/settings"));
  return (
    <Panel title="Counted apps" units="The checks of the others are answered all the same">
      <Answer query={answer} height={120}>
        {({ apps }) => (
          <Table
            caption="Counted apps"
            rows={apps}
            identity={(app) => app.id}
            empty="There is no app yet."
            columns={[
              { title: "App", value: (app) => app.app },
              {
                title: "Counted",
                value: (app) => (app.telemetry ? "yes" : "no"),
                shown: (app) => <Counted app={app} />,
              },
            ]}
          />
        )}
      </Answer>
    </Panel>
  );
}

function Counted({ app }: { app: Wire["AppSettings"] }) {
  const settle = useSettle();
  // It turns at once, and back where the server does not settle it.
  const [isCounted, turn] = useOptimistic(app.telemetry);
  const onChange = (telemetry: boolean) =>
    startTransition(async () => {
      turn(telemetry);
      await settle.mutateAsync({ apps: [{ id: app.id, telemetry }] });
    });
  return (
    <Switch
      aria-label={`Count the checks of ${app.app}`}
      checked={isCounted}
      error={settle.isError && "It could not be changed."}
      onChange={(event) => onChange(event.currentTarget.checked)}
    />
  );
}
