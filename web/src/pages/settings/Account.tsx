import { Alert, Button, PasswordInput } from "@mantine/core";
import { useState } from "react";

import { Refused } from "../../api/refused";
import { body, server } from "../../api/server";
import { useCaller } from "../../app/rights";
import { Form } from "../../parts/Form";
import { Panel } from "../../parts/Panel";
import { fault, field, useSubmit } from "../../parts/use-submit";

/** The own account. */
export function Account() {
  const caller = useCaller();
  return (
    <Panel title="Your account" units={`${caller.username}, ${caller.is_admin ? "administrator" : `team user of ${caller.owner ?? ""}`}`}>
      {caller.is_admin ? <Password /> : <p>The administrator changes your password.</p>}
    </Panel>
  );
}

function Password() {
  const { id, username } = useCaller();
  // Another key empties the fields.
  const [changes, setChanges] = useState(0);
  const { isBusy, refused, onSubmit } = useSubmit(async (form) => {
    const password = field(form, "password");
    if (password !== field(form, "again")) throw new Refused(400, "bad_request", "The two are not equal.", "again");
    await body(server.POST("/admin/update", { body: { id, username, password } }));
    setChanges((before) => before + 1);
  });
  return (
    <Form key={changes} onSubmit={onSubmit}>
      {changes > 0 && <Alert color="green" role="status" title="The password was changed. Every other session has ended." />}
      {refused !== undefined && refused.field === undefined && <Alert color="red" role="alert" title={refused.explained} />}
      <PasswordInput
        name="password"
        label="New password"
        description="At least 10 characters. Your other sessions end."
        autoComplete="new-password"
        error={fault(refused, "password")}
        required
      />
      <PasswordInput
        name="again"
        label="Once more"
        autoComplete="new-password"
        error={fault(refused, "again")}
        required
      />
      <Button type="submit" loading={isBusy}>
        Change the password
      </Button>
    </Form>
  );
}
