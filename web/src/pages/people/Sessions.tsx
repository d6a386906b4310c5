import { useQuery } from "@tanstack/react-query";

import type { Wire } from "../../api/client";
import { read } from "../../api/queries";
import { body, server } from "../../api/server";
import { useWrite } from "../../api/write";
import { Answer } from "../../parts/Answer";
import { Confirmed } from "../../parts/Confirmed";
import { Table } from "../../parts/Table";
import { minute } from "../../view/days";

type Session = Wire["SessionRow"];

interface SessionsProps {
  /** Whose they are: a team user; without one, those of who is signed in. */
  of?: { id: string; username: string };
}

/** Where somebody is signed in, each of which can be ended. */
export function Sessions({ of }: SessionsProps) {
  const answer = useQuery(read("/session/list", of === undefined ? {} : { user: of.id }));
  const end = useWrite((id: string) => body(server.DELETE("/session/delete", { body: { id } })), "/session/list");
  const actions = (session: Session) =>
    session.current ? null : (
      <Confirmed label="End" title={`End the session of ${minute(session.created_at)}`} onConfirm={() => end.mutateAsync(session.id)}>
        <p>It is signed out at once.</p>
      </Confirmed>
    );
  return (
    <Answer query={answer} height={120}>
      {({ sessions }) => (
        <Table
          caption={of === undefined ? "Your sessions" : `Sessions of ${of.username}`}
          rows={sessions}
          identity={(session) => session.id}
          empty="Signed in nowhere."
          columns={[
            { title: "Since (UTC)", value: (session) => minute(session.created_at) },
            { title: "Last used (UTC)", value: (session) => minute(session.last_used_at) },
            { title: "Ends (UTC)", value: (session) => minute(session.expires_at) },
            { title: "By", value: (session) => `${session.kind}${session.current ? ", this one" : ""}` },
            { title: "Program", value: (session) => session.agent || "not told" },
            { title: "Actions", value: () => null, shown: actions, isPlain: true },
          ]}
        />
      )}
    </Answer>
  );
}

/** A button that ends all of them. */
export function SignOutEverywhere({ of }: SessionsProps) {
  const everywhere = useWrite(
    () => body(server.DELETE("/session/delete-all", { body: of === undefined ? {} : { user: of.id } })),
    "/session/list",
    "/whoami",
  );
  const title = of === undefined ? "Sign out everywhere" : `Sign ${of.username} out everywhere`;
  return (
    <Confirmed label="Sign out everywhere" title={title} onConfirm={() => everywhere.mutateAsync()}>
      <p>{of === undefined ? "All your sessions end, this one too." : "All sessions of the user end at once."} API tokens stay.</p>
    </Confirmed>
  );
}
