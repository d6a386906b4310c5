import { queries } from "./queries";
import { body, server } from "./server";

/** Opens a session; the browser keeps its token in a cookie that no script can read. */
export async function signIn(username: string, password: string): Promise<void> {
  await body(server.POST("/session/create", { body: { username, password } }));
  queries.clear();
}

/** Creates the first administrator by the token that the server showed at its start, and signs in. */
export async function setUp(token: string, username: string, password: string): Promise<void> {
  await body(server.POST("/setup", { body: { token, username, password } }));
  await signIn(username, password);
}

/** Ends the session. */
export async function signOut(): Promise<void> {
  await body(server.POST("/logout"));
}
