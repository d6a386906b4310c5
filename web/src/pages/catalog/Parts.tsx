import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { read } from "../../api/queries";
import { useWrite } from "../../api/write";
import { useMay } from "../../app/rights";
import { Answer } from "../../parts/Answer";
import { Confirmed } from "../../parts/Confirmed";
import { Panel } from "../../parts/Panel";
import { Table } from "../../parts/Table";
import { type Part, type PartKind, partsOf } from "./part-kinds";
import { PartForm } from "./PartForm";
import { RowActions } from "../../parts/RowActions";

/** The channels, platforms or architectures, and what may be done with them. */
export function Parts({ kind }: { kind: PartKind }) {
  const may = useMay();
  const answer = useQuery(read(kind.list));
  const [form, setForm] = useState<Part | "new">();
  const remove = useWrite(kind.remove, kind.list);
  const actions = (part: Part) => (
    <RowActions>
      {may(kind.kind, "Edit") && (
        <Button variant="subtle" size="compact-sm" aria-label={`Edit the ${kind.one} ${part.name}`} onClick={() => setForm(part)}>
          Edit
        </Button>
      )}
      {may(kind.kind, "Delete") && (
        <Confirmed
          label="Delete"
          title={`Delete the ${kind.one} ${part.name}`}
          onConfirm={() => remove.mutateAsync(part.id)}
        >
          <p>Checks that name it are answered as for a name that nobody knows. What was counted under it stays.</p>
        </Confirmed>
      )}
    </RowActions>
  );
  return (
    <Panel
      title={kind.title}
      units={kind.about}
      actions={
        may(kind.kind, "Create") && (
          <Button variant="default" size="xs" aria-label={`New ${kind.one}`} onClick={() => setForm("new")}>
            New
          </Button>
        )
      }
    >
      <Answer query={answer} height={80}>
        {(list) => (
          <Table
            caption={kind.title}
            rows={partsOf(list)}
            identity={(part) => part.id}
            empty={`There is no ${kind.one} yet.`}
            columns={[
              { title: "Name", value: (part) => part.name },
              ...(kind.noun === "platform" ? [{ title: "Updaters", value: updaters }] : []),
              { title: "Actions", value: () => null, shown: actions, isPlain: true },
            ]}
          />
        )}
      </Answer>
      <PartForm kind={kind} part={form} onClose={() => setForm(undefined)} />
    </Panel>
  );
}

function updaters({ updaters = [] }: Part): string | null {
  const isOne = updaters.length === 1;
  const names = updaters.map((one) => (one.default === true && !isOne ? `${one.type} (default)` : one.type));
  return names.length === 0 ? null : names.join(", ");
}
