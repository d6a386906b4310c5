import { Switch } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { read } from "../../api/queries";
import { Answer } from "../../parts/Answer";
import { Panel } from "../../parts/Panel";
import { Table } from "../../parts/Table";
import { useSettle } from "./write";

/** Which apps are counted. */
export function CountedApps() {
  const answer = useQuery(read("/settings"));
  const settle = useSettle();
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
                shown: (app) => (
                  <Switch
                    aria-label={`Count the checks of ${app.app}`}
                    checked={app.telemetry}
                    disabled={settle.isPending}
                    onChange={(event) => settle.mutate({ apps: [{ id: app.id, telemetry: event.currentTarget.checked }] })}
                  />
                ),
              },
            ]}
          />
        )}
      </Answer>
    </Panel>
  );
}
