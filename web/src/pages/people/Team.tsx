import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import type { Wire } from "../../api/client";
import { read } from "../../api/queries";
import { body, server } from "../../api/server";
import { useWrite } from "../../api/write";
import { Answer } from "../../parts/Answer";
import { Confirmed } from "../../parts/Confirmed";
import { Dialog } from "../../parts/Dialog";
import { Panel } from "../../parts/Panel";
import { RowActions } from "../../parts/RowActions";
import { Table } from "../../parts/Table";
import { summary } from "./grants";
import { Sessions, SignOutEverywhere } from "./Sessions";
import { UserForm } from "./UserForm";

type User = Wire["TeamUserRow"];

/** The team of the administrator. */
export function Team() {
  const answer = useQuery(read("/users/list"));
  const [form, setForm] = useState<User | "new">();
  const [watched, setWatched] = useState<User>();
  const remove = useWrite((id: string) => body(server.DELETE("/user/delete", { body: { id } })), "/users/list");
  const actions = (user: User) => (
    <RowActions>
      <Button variant="subtle" size="compact-sm" aria-label={`Sessions of ${user.username}`} onClick={() => setWatched(user)}>
        Sessions
      </Button>
      <Button variant="subtle" size="compact-sm" aria-label={`Edit the user ${user.username}`} onClick={() => setForm(user)}>
        Edit
      </Button>
      <Confirmed label="Delete" title={`Delete the user ${user.username}`} onConfirm={() => remove.mutateAsync(user.id)}>
        <p>The user is signed out everywhere at once. What the user created stays.</p>
      </Confirmed>
    </RowActions>
  );
  return (
    <Panel
      title="Team"
      units="Team users read all numbers; they filter by, see and change only what they were granted"
      actions={<Button onClick={() => setForm("new")}>New user</Button>}
    >
      <Answer query={answer} height={120}>
        {({ users }) => (
          <Table
            caption="Team"
            rows={users ?? []}
            identity={(user) => user.id}
            empty="You are alone here. Create a user for each colleague instead of sharing your password."
            columns={[
              { title: "Name", value: (user) => user.username },
              { title: "May", value: (user) => summary(user.permissions) },
              { title: "Changed", value: (user) => user.updated_at.slice(0, 10) },
              { title: "Actions", value: () => null, shown: actions, isPlain: true },
            ]}
          />
        )}
      </Answer>
      <UserForm user={form} onClose={() => setForm(undefined)} />
      <Dialog
        title={`Sessions of ${watched?.username ?? ""}`}
        isOpen={watched !== undefined}
        onClose={() => setWatched(undefined)}
        size="xl"
      >
        {watched !== undefined && (
          <>
            <Sessions of={watched} />
            <SignOutEverywhere of={watched} />
          </>
        )}
      </Dialog>
    </Panel>
  );
}
