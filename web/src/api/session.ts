import { queries } from "./queries";
import { body, server } from "./server";

/** The session of this page. It is kept nowhere else: loading the page anew ends it. */
let token: string | undefined;

server.use({
  onRequest: ({ request }) => {
    if (token !== undefined) request.headers.set("Authorization", `Bearer ${token}`);
    return request;
  },
});

/** Opens a session. */
export async function signIn(username: string, password: string): Promise<void> {
  ({ token } = await body(server.POST("/login", { body: { username, password } })));
  queries.clear();
}

/** Creates the first administrator by the token that the server showed at its start, and signs in. */
export async function setUp(setupToken: string, username: string, password: string): Promise<void> {
  ({ token } = await body(server.POST("/setup", { body: { token: setupToken, username, password } })));
  queries.clear();
}

/** Ends the session. */
export async function signOut(): Promise<void> {
  token = undefined;
}
