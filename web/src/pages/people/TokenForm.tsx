import { Alert, Button, Checkbox, Code, CopyButton, MultiSelect, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { read } from "../../api/queries";
import { body, server } from "../../api/server";
import { changed } from "../../api/write";
import { Dialog } from "../../parts/Dialog";
import { FormDialog } from "../../parts/FormDialog";
import { fault, field } from "../../parts/use-submit";
import { dayOf, plus } from "../../view/days";

const SCOPES = [
  { value: "release:write", label: "Register releases" },
  { value: "telemetry:read", label: "Read the numbers" },
  { value: "telemetry:import", label: "Import checks that were made elsewhere" },
] as const;

/** Creates a token, and shows it once. */
export function TokenForm({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const [created, setCreated] = useState<string>();
  const [apps, setApps] = useState<string[]>([]);
  const choices = (useQuery(read("/app/list")).data?.apps ?? []).map((app) => ({ value: app.ID, label: app.AppName }));

  async function create(form: FormData) {
    const scopes = SCOPES.map(({ value }) => value).filter((scope) => form.has(scope));
    const expires = field(form, "expires");
    const token = await body(
      server.POST("/token/create", {
        body: {
          name: field(form, "name"),
          scopes,
          ...(apps.length === 0 ? {} : { allowed_apps: apps }),
          ...(expires === "" ? {} : { expires_at: `${expires}T00:00:00Z` }),
        },
      }),
    );
    setCreated(token.token);
    await changed("/token/list");
  }

  return (
    <>
      <FormDialog
        title="New token"
        isOpen={isOpen}
        onClose={() => {
          setApps([]);
          onClose();
        }}
        submit="Create"
        onSubmit={create}
        fields={["name", "allowed_apps", "expires_at"]}
      >
        {(refused) => (
          <>
            <TextInput name="name" label="Name" description="What it is for." error={fault(refused, "name")} maxLength={100} data-autofocus required />
            <Checkbox.Group label="May">
              {SCOPES.map(({ value, label }) => (
                <Checkbox key={value} name={value} value={value} label={label} mt="xs" />
              ))}
            </Checkbox.Group>
            <MultiSelect
              label="Apps"
              description="A token that registers releases needs at least one; any other without one acts on all apps."
              data={choices}
              value={apps}
              onChange={setApps}
              error={fault(refused, "allowed_apps")}
              searchable
            />
            <TextInput
              name="expires"
              label="Expires at the beginning of (UTC)"
              description="Empty, it does not expire."
              type="date"
              min={plus(dayOf(new Date()), 1)}
              error={fault(refused, "expires_at")}
            />
          </>
        )}
      </FormDialog>
      <Dialog title="The token was created" isOpen={created !== undefined} onClose={() => setCreated(undefined)}>
        <Alert color="yellow" title="It is shown only now. Copy it to where it is needed." />
        <Code block>{created}</Code>
        <CopyButton value={created ?? ""}>
          {({ copied, copy }) => <Button onClick={copy}>{copied ? "Copied" : "Copy the token"}</Button>}
        </CopyButton>
      </Dialog>
    </>
  );
}
