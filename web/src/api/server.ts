import type { FetchResponse, MaybeOptionalInit } from "openapi-fetch";
import type { PathsWithMethod } from "openapi-typescript-helpers";

import { connect, type Refusal } from "./client";
import { Refused } from "./refused";
import type { paths } from "./schema";

/** The routes of the server that this page came from, called with the session's cookie. */
export const server = connect(globalThis.location?.origin ?? "");

// A cookie speaks for requests of a kind that no form of another page can send; that is said where there is no body, too.
server.use({
  onRequest: ({ request }) => {
    if (request.method !== "GET" && !request.headers.has("Content-Type")) {
      request.headers.set("Content-Type", "application/json");
    }
    return request;
  },
});

/** The body of an answer; a refusal is thrown. */
export async function body<T>(
  request: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<NonNullable<T>> {
  let answer;
  try {
    answer = await request;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw Refused.unreachable();
  }
  if (!answer.response.ok) throw Refused.of(answer.response, answer.error as Refusal | undefined);
  return (answer.data ?? {}) as NonNullable<T>;
}

/** The paths that can be read. */
export type ReadPath = PathsWithMethod<paths, "get">;

type Get<P extends ReadPath> = paths[P] extends { get: infer Operation extends Record<string | number, unknown> }
  ? Operation
  : never;

/** The parameters of a path that is read. */
export type ReadQuery<P extends ReadPath> =
  Get<P> extends { parameters: { query?: infer Query } } ? NonNullable<Query> : never;

/** What reading a path gives. */
export type ReadAnswer<P extends ReadPath> = NonNullable<
  FetchResponse<Get<P>, MaybeOptionalInit<paths[P], "get">, `${string}/${string}`>["data"]
>;
