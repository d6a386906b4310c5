/** What the sign-in page needs to know: where to go afterwards. */
export interface Arrival {
  /** The address within the dashboard that was asked for. */
  next?: string;
}

/** What the query of an address says of it. Only addresses of this server count: a link sends nobody elsewhere. */
export function parseArrival(query: Record<string, unknown>): Arrival {
  const next = query["next"];
  return typeof next === "string" && /^\/(?![/\\])/.test(next) ? { next } : {};
}
