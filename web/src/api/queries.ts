import { QueryCache, QueryClient, queryOptions } from "@tanstack/react-query";

import { Refused } from "./refused";
import { body, type ReadAnswer, type ReadPath, type ReadQuery, server } from "./server";

/** Called when a session has ended while a page was open. */
let onSignedOut: () => void = () => {};

/** Says what happens when a session has ended. */
export function whenSignedOut(then: () => void): void {
  onSignedOut = then;
}

/** Everything that was read. A refusal is final; only what did not arrive is asked for again. */
export const queries = new QueryClient({
  queryCache: new QueryCache({
    onError: (error, query) => {
      // Who asks who they are finds out by the answer.
      const isKnown = query.queryKey[0] !== "/whoami";
      if (isKnown && error instanceof Refused && error.status === 401) onSignedOut();
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 15_000,
      // Said once, in place of the page.
      throwOnError: (error) => error instanceof Refused && error.isTelemetryOff,
      retry: (failures, error) => failures < 2 && error instanceof Refused && (error.status === 0 || error.status === 503),
    },
  },
});

/** Reads a path with these parameters, and keeps the answer. */
export function read<P extends ReadPath>(path: P, query?: ReadQuery<P>) {
  return queryOptions({
    queryKey: [path, query ?? {}],
    queryFn: ({ signal }): Promise<ReadAnswer<P>> => {
      const get = server.GET as (path: string, init: object) => Promise<{ data?: ReadAnswer<P>; response: Response }>;
      return body(get(path, { params: { query }, signal }));
    },
  });
}
