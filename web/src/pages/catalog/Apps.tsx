import { Button, Checkbox, Textarea, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { jsonPart, type Wire } from "../../api/client";
import { read } from "../../api/queries";
import { body, server } from "../../api/server";
import { useWrite } from "../../api/write";
import { useMay } from "../../app/rights";
import { Answer } from "../../parts/Answer";
import { Confirmed } from "../../parts/Confirmed";
import { FormDialog } from "../../parts/FormDialog";
import { Panel } from "../../parts/Panel";
import { RowActions } from "../../parts/RowActions";
import { Table } from "../../parts/Table";
import { fault, field } from "../../parts/use-submit";
import { whole } from "../../view/numbers";

type App = Wire["AppRow"];

/** The apps, and the way to the releases of each. */
export function Apps() {
  const may = useMay();
  const answer = useQuery(read("/app/list"));
  const [form, setForm] = useState<App | "new">();
  return (
    <Panel
      title="Apps"
      units="Choose one to see its releases"
      actions={may("Apps", "Create") && <Button onClick={() => setForm("new")}>New app</Button>}
    >
      <Answer query={answer} height={160}>
        {({ apps }) => (
          <Table
            caption="Apps"
            rows={apps ?? []}
            identity={(app) => app.ID}
            empty="There is no app yet. Create the first one: checks name it."
            columns={[
              {
                title: "Name",
                value: (app) => app.AppName,
                shown: (app) => (
                  <Link to="/catalog/$app" params={{ app: app.AppName }}>
                    {app.AppName}
                  </Link>
                ),
              },
              { title: "Releases", value: () => null, shown: (app) => <ReleaseCount app={app.AppName} /> },
              { title: "Description", value: (app) => app.Description },
              { title: "Actions", value: () => null, shown: (app) => <Actions app={app} onEdit={() => setForm(app)} />, isPlain: true },
            ]}
          />
        )}
      </Answer>
      <AppForm app={form} onClose={() => setForm(undefined)} />
    </Panel>
  );
}

/** How many releases an app has; nothing more than the number is asked for. */
function ReleaseCount({ app }: { app: string }) {
  const { data } = useQuery(read("/release/list", { app_name: app, limit: "1" }));
  return whole(data?.total);
}

function Actions({ app, onEdit }: { app: App; onEdit: () => void }) {
  const may = useMay();
  const remove = useWrite(
    (telemetry: boolean) =>
      body(server.DELETE("/app/delete", { params: { query: { id: app.ID, ...(telemetry ? { telemetry: "true" } : {}) } } })),
    "/app/list",
  );
  return (
    <RowActions>
      {may("Apps", "Edit") && (
        <Button variant="subtle" size="compact-sm" aria-label={`Edit the app ${app.AppName}`} onClick={onEdit}>
          Edit
        </Button>
      )}
      {may("Apps", "Delete") && (
        <Confirmed
          label="Delete"
          title={`Delete the app ${app.AppName}`}
          typed={app.AppName}
          onConfirm={(form) => remove.mutateAsync(field(form, "telemetry") === "on")}
        >
          <p>
            Its checks are refused from then on. Its releases have to be deleted first. What was counted stays until its days
            expire, unless it is erased too.
          </p>
          <Checkbox name="telemetry" label="Erase what was counted for it. This cannot be undone." />
        </Confirmed>
      )}
    </RowActions>
  );
}

function AppForm({ app, onClose }: { app: App | "new" | undefined; onClose: () => void }) {
  const old = app === "new" ? undefined : app;
  const write = useWrite((form: FormData) => {
    const data = { app: field(form, "app"), description: field(form, "description"), ...(old === undefined ? {} : { id: old.ID }) };
    const request = { body: { data }, bodySerializer: jsonPart };
    return old === undefined ? body(server.POST("/app/create", request)) : body(server.POST("/app/update", request));
  }, "/app/list");
  return (
    <FormDialog
      title={old === undefined ? "New app" : `Edit the app ${old.AppName}`}
      isOpen={app !== undefined}
      onClose={onClose}
      submit={old === undefined ? "Create" : "Save"}
      onSubmit={(form) => write.mutateAsync(form)}
      fields={["app", "description"]}
    >
      {(refused) => (
        <>
          <TextInput
            name="app"
            label="Name"
            description={
              old === undefined
                ? "Letters, digits, spaces, '.', '_' and '-', at most 64. Checks send it as app_name."
                : "The name until now stays an alias for checks, until another app takes it."
            }
            defaultValue={old?.AppName ?? ""}
            error={fault(refused, "app")}
            autoComplete="off"
            data-autofocus
            required
          />
          <Textarea
            name="description"
            label="Description"
            defaultValue={old?.Description ?? ""}
            error={fault(refused, "description")}
            maxLength={2048}
            rows={3}
          />
        </>
      )}
    </FormDialog>
  );
}
