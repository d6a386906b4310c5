import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import type { Wire } from "../../api/client";
import { read } from "../../api/queries";
import { Answer } from "../../parts/Answer";
import { Panel } from "../../parts/Panel";
import { RowActions } from "../../parts/RowActions";
import { Table } from "../../parts/Table";
import { minute } from "../../view/days";

type Entry = Wire["AuditEntry"];

/** Entries on a page. */
const LIMIT = "20";

/** Who changed what, a page at a time. */
export function AuditLog() {
  const [before, setBefore] = useState<string>();
  const answer = useQuery(read("/audit/list", { limit: LIMIT, ...(before === undefined ? {} : { before }) }));
  const older = answer.data?.next ?? undefined;
  return (
    <Panel title="Audit log" units="Who changed what, the newest change first">
      <Answer query={answer} height={240}>
        {({ entries }) => (
          <Table
            caption="Audit log"
            rows={entries}
            identity={(entry) => entry.id}
            empty="Nothing was changed yet."
            columns={[
              { title: "When (UTC)", value: (entry) => minute(entry.at) },
              { title: "Who", value: (entry) => entry.actor.name || entry.actor.kind },
              { title: "By", value: (entry) => entry.via },
              { title: "Did", value: (entry) => `${entry.action} ${entry.kind}` },
              { title: "What", value: subject },
            ]}
          />
        )}
      </Answer>
      <RowActions>
        {before !== undefined && (
          <Button variant="default" size="compact-sm" onClick={() => setBefore(undefined)}>
            Newest
          </Button>
        )}
        {older !== undefined && (
          <Button variant="default" size="compact-sm" onClick={() => setBefore(older)}>
            Older
          </Button>
        )}
      </RowActions>
    </Panel>
  );
}

function subject({ subject: { name, id } }: Entry): string {
  return name || id;
}
