import { PasswordInput, TextInput } from "@mantine/core";
import { useEffect, useState } from "react";

import type { Wire } from "../../api/client";
import { body, server } from "../../api/server";
import { useWrite } from "../../api/write";
import { FormDialog } from "../../parts/FormDialog";
import { fault, field } from "../../parts/use-submit";
import { Grants } from "./Grants";
import type { Permissions } from "./grants";

interface UserFormProps {
  /** Who is changed; `new` creates one, and without any the form is closed. */
  user: Wire["TeamUserRow"] | "new" | undefined;
  onClose: () => void;
}

/** Creates or changes a team user. */
export function UserForm({ user, onClose }: UserFormProps) {
  const old = user === "new" ? undefined : user;
  const [permissions, setPermissions] = useState<Permissions>({});
  useEffect(() => setPermissions(old?.permissions ?? {}), [old, user]);
  const save = useWrite((form: FormData) => {
    const username = field(form, "username");
    const password = field(form, "password");
    if (old === undefined) return body(server.POST("/user/create", { body: { username, password, permissions } }));
    const changes = { id: old.id, username, permissions, ...(password === "" ? {} : { password }) };
    return body(server.POST("/user/update", { body: changes }));
  }, "/users/list");
  return (
    <FormDialog
      title={old === undefined ? "New user" : `Edit the user ${old.username}`}
      isOpen={user !== undefined}
      onClose={onClose}
      size="lg"
      submit={old === undefined ? "Create" : "Save"}
      onSubmit={(form) => save.mutateAsync(form)}
      fields={["username", "password"]}
    >
      {(refused) => (
        <>
          <TextInput
            name="username"
            label="Username"
            defaultValue={old?.username ?? ""}
            error={fault(refused, "username")}
            autoComplete="off"
            data-autofocus
            required
          />
          <PasswordInput
            name="password"
            label={old === undefined ? "Password" : "New password"}
            description={old === undefined ? "At least 10 characters." : "It ends every session of the user. Empty, the old one stays."}
            error={fault(refused, "password")}
            autoComplete="new-password"
            required={old === undefined}
          />
          <Grants permissions={permissions} onChange={setPermissions} />
        </>
      )}
    </FormDialog>
  );
}
