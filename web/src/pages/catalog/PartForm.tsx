import { Select, TagsInput, TextInput } from "@mantine/core";
import { useState } from "react";

import { useWrite } from "../../api/write";
import { FormDialog } from "../../parts/FormDialog";
import { fault, field } from "../../parts/use-submit";
import { type Part, type PartKind, UPDATERS } from "./part-kinds";

interface PartFormProps {
  kind: PartKind;
  /** What is changed; `new` creates one, and without any the form is closed. */
  part: Part | "new" | undefined;
  onClose: () => void;
}

/** Creates or changes a channel, a platform or an architecture. */
export function PartForm({ kind, part, onClose }: PartFormProps) {
  const old = part === "new" ? undefined : part;
  const create = useWrite(kind.create, kind.list);
  const update = useWrite(kind.update, kind.list);
  const send = (form: FormData) => {
    const written = { name: field(form, kind.noun), ...updatersOf(form) };
    return old === undefined ? create.mutateAsync(written) : update.mutateAsync({ id: old.id, ...written });
  };
  return (
    <FormDialog
      title={old === undefined ? `New ${kind.one}` : `Edit the ${kind.one} ${old.name}`}
      isOpen={part !== undefined}
      onClose={onClose}
      submit={old === undefined ? "Create" : "Save"}
      onSubmit={send}
      fields={[kind.noun]}
    >
      {(refused) => (
        <>
          <TextInput
            name={kind.noun}
            label="Name"
            description={
              old === undefined
                ? "Letters, digits, '.', '_' and '-', at most 32; the first is a letter or a digit."
                : "The name until now stays an alias, until another one takes it."
            }
            defaultValue={old?.name ?? ""}
            error={fault(refused, kind.noun)}
            autoComplete="off"
            data-autofocus
            required
          />
          {kind.noun === "platform" && <Updaters old={old?.updaters ?? [{ type: "manual", default: true }]} />}
        </>
      )}
    </FormDialog>
  );
}

function Updaters({ old }: { old: NonNullable<Part["updaters"]> }) {
  const [chosen, setChosen] = useState(old.map((one) => one.type));
  const [standard, setStandard] = useState<string | null>(old.find((one) => one.default)?.type ?? null);
  const valid = standard !== null && chosen.includes(standard) ? standard : (chosen[0] ?? null);
  return (
    <>
      <TagsInput
        name="updaters"
        label="Updaters"
        description="The programs that ask for updates on it."
        data={UPDATERS}
        value={chosen}
        onChange={setChosen}
      />
      <Select
        name="standard"
        label="Default updater"
        description="It serves the checks that name none."
        data={chosen}
        value={valid}
        onChange={setStandard}
        allowDeselect={false}
      />
    </>
  );
}

function updatersOf(form: FormData): Pick<Part, "updaters"> {
  const chosen = field(form, "updaters").split(",").filter((type) => type !== "");
  const standard = field(form, "standard");
  return chosen.length === 0 ? {} : { updaters: chosen.map((type) => ({ type, default: type === standard })) };
}
