// A real OpenID Connect provider for tests, on a port of its own: node provider.mjs PORT CALLBACK. Everybody may sign in, with
// any password; POST /roles?of=NAME&roles=ONE,TWO says what somebody's roles are.
import Provider from "oidc-provider";

const [port, callback] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const client = { redirect_uris: [callback], grant_types: ["authorization_code"], response_types: ["code"] };

const roles = new Map();

const provider = new Provider(issuer, {
  clients: [
    { ...client, client_id: "headcount", client_secret: "a secret of the two" },
    { ...client, client_id: "public", token_endpoint_auth_method: "none" },
    // What is made for it is nothing to the other two.
    { ...client, client_id: "another", client_secret: "a secret of others" },
  ],
  claims: { openid: ["sub"], profile: ["preferred_username", "roles"] },
  conformIdTokenClaims: false,
  cookies: { keys: ["only for tests"] },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({ sub: id, preferred_username: id, roles: roles.get(id) ?? [] }),
  }),
  pkce: { required: () => true },
  ttl: { AccessToken: 600, AuthorizationCode: 60, IdToken: 600, Grant: 600, Interaction: 600, Session: 600 },
});
provider.use(async (context, next) => {
  if (context.method !== "POST" || context.path !== "/roles") return next();
  roles.set(context.query.of, context.query.roles.split(","));
  context.status = 204;
});
provider.listen(Number(port), "127.0.0.1", () => console.log(issuer));
