import createClient, { type Client } from "openapi-fetch";

import type { components, paths } from "./schema";

/** The wire types by name: `Wire["TelemetryReport"]`. */
export type Wire = components["schemas"];

/** What the server answers when a request fails. */
export type Refusal = Wire["ErrorBody"];

/** Every route of one server, with the types of its requests and replies. */
export type Api = Client<paths>;

/**
 * Routes of the server at `baseUrl`, called with the session of `token` if there is one.
 * A call gives `{ data }` or `{ error }` and throws only when no answer came.
 */
export function connect(baseUrl: string, token?: string): Api {
  return createClient<paths>({ baseUrl, headers: token === undefined ? {} : { Authorization: `Bearer ${token}` } });
}

/** A body for the routes that take a form whose part `data` is JSON. */
export function jsonPart(fields: { data?: unknown }): FormData {
  const form = new FormData();
  form.set("data", JSON.stringify(fields.data));
  return form;
}
