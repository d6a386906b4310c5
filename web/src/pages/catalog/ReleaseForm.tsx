import { Checkbox, NumberInput, Select, Textarea, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import type { Wire } from "../../api/client";
import { read } from "../../api/queries";
import { useWrite } from "../../api/write";
import { FormDialog } from "../../parts/FormDialog";
import { fault } from "../../parts/use-submit";
import { Files } from "./Files";
import { draftsOf, type FileDraft, RELEASES_CHANGE, write } from "./release-draft";

interface ReleaseFormProps {
  app: string;
  /** What is changed; `new` creates one, and without any the form is closed. */
  release: Wire["ReleaseRow"] | "new" | undefined;
  onClose: () => void;
}

/** Creates or changes a release. */
export function ReleaseForm({ app, release, onClose }: ReleaseFormProps) {
  const old = release === "new" ? undefined : release;
  const [files, setFiles] = useState<FileDraft[]>([]);
  useEffect(() => setFiles(draftsOf(old?.artifacts ?? [])), [old, release]);
  const save = useWrite((form: FormData) => write(app, old, form, files), ...RELEASES_CHANGE);
  return (
    <FormDialog
      title={old === undefined ? `New release of ${app}` : `Edit ${app} ${old.version}`}
      isOpen={release !== undefined}
      onClose={onClose}
      size="xl"
      submit={old === undefined ? "Create" : "Save"}
      onSubmit={(form) => save.mutateAsync(form)}
      fields={["version", "channel", "rollout", "changelog"]}
    >
      {(refused) => (
        <>
          {old === undefined && <Named fault={(name) => fault(refused, name)} />}
          <Checkbox
            name="publish"
            label="Published"
            description="Checks of lower versions are told about it."
            defaultChecked={old?.publish ?? true}
          />
          <NumberInput
            name="rollout"
            label="Rollout"
            description="The share of devices that it is offered to. The same devices stay in when it grows."
            defaultValue={old?.rollout ?? 100}
            min={0}
            max={100}
            suffix="%"
            allowDecimal={false}
            error={fault(refused, "rollout")}
            required
          />
          <Checkbox
            name="critical"
            label="Critical"
            description="Clients should insist on it."
            defaultChecked={old?.critical ?? false}
          />
          <Checkbox
            name="intermediate"
            label="Intermediate"
            description="Devices below it have to pass through it on their way up."
            defaultChecked={old?.intermediate ?? false}
          />
          <Textarea
            name="changelog"
            label="Changelog"
            description="As clients show it."
            defaultValue={old?.changelog ?? ""}
            error={fault(refused, "changelog")}
            rows={4}
          />
          <Files files={files} onChange={setFiles} />
        </>
      )}
    </FormDialog>
  );
}

/** What a release is called, which does not change. */
function Named({ fault }: { fault: (name: string) => string | undefined }) {
  const channels = (useQuery(read("/channel/list")).data?.channels ?? []).map((one) => one.ChannelName);
  return (
    <>
      <TextInput
        name="version"
        label="Version"
        description="Such as 1.4.0, 2.0.0-beta.1 or 1.2.3.4."
        error={fault("version")}
        autoComplete="off"
        data-autofocus
        required
      />
      {channels.length > 0 && (
        <Select
          name="channel"
          label="Channel"
          data={channels}
          defaultValue={channels[0] ?? null}
          error={fault("channel")}
          allowDeselect={false}
          required
        />
      )}
    </>
  );
}
