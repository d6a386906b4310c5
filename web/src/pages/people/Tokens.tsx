import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";

import type { Wire } from "../../api/client";
import { read } from "../../api/queries";
import { body, server } from "../../api/server";
import { useWrite } from "../../api/write";
import { Answer } from "../../parts/Answer";
import { Confirmed } from "../../parts/Confirmed";
import { Panel } from "../../parts/Panel";
import { Table } from "../../parts/Table";
import { TokenForm } from "./TokenForm";

type Token = Wire["ApiTokenRow"];

/** What programs call the API with. */
export function Tokens() {
  const answer = useQuery(read("/token/list"));
  const apps = useQuery(read("/app/list")).data?.apps ?? [];
  const [isOpen, { open, close }] = useDisclosure(false);
  const revoke = useWrite((id: string) => body(server.DELETE("/token/delete", { body: { id } })), "/token/list");
  const appsOf = (token: Token) =>
    token.allowed_apps?.map((id) => apps.find((app) => app.ID === id)?.AppName ?? "a deleted app").join(", ") ?? "all";
  const actions = (token: Token) => (
    <Confirmed label="Revoke" title={`Revoke the token ${token.name}`} onConfirm={() => revoke.mutateAsync(token.id)}>
      <p>Programs that use it are refused at once.</p>
    </Confirmed>
  );
  return (
    <Panel
      title="API tokens"
      units="For programs: a build that registers releases, a tool that reads numbers"
      actions={<Button onClick={open}>New token</Button>}
    >
      <Answer query={answer} height={120}>
        {({ tokens }) => (
          <Table
            caption="API tokens"
            rows={tokens}
            identity={(token) => token.id}
            empty="There is no token yet."
            columns={[
              { title: "Name", value: (token) => token.name },
              { title: "Begins with", value: (token) => token.token_prefix },
              { title: "May", value: (token) => token.scopes.join(", ") },
              { title: "Apps", value: appsOf },
              { title: "Expires", value: (token) => token.expires_at?.slice(0, 10) ?? "never" },
              { title: "Last used", value: (token) => token.last_used_at?.slice(0, 10) ?? "never" },
              { title: "Actions", value: () => null, shown: actions, isPlain: true },
            ]}
          />
        )}
      </Answer>
      <TokenForm isOpen={isOpen} onClose={close} />
    </Panel>
  );
}
