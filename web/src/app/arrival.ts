/** Why signing in through the provider came to nothing, by the words of the server. */
export const REFUSALS = {
  unavailable: "The provider could not be reached. Try again in a moment, or sign in with a password.",
  refused: "The provider refused, or you did not agree.",
  unknown: "This sign-in was not begun here, or it took more than 10 minutes. Begin again.",
  "too-many": "Too many attempts from your network have failed. Wait a moment, and try again.",
  untrue: "What the provider said about you does not hold. Ask who runs this server to look into its log.",
  "no-role": "The provider knows you, but gives you no role here. Ask who runs it for one.",
} as const;

/** What the sign-in page needs to know. */
export interface Arrival {
  /** The address within the dashboard that was asked for. */
  next?: string;
  /** Why the provider's sign-in came to nothing. */
  refused?: keyof typeof REFUSALS;
}

/** What the query of an address says of it. Only addresses of this server count: a link sends nobody elsewhere. */
export function parseArrival({ next, refused }: Record<string, unknown>): Arrival {
  return {
    ...(typeof next === "string" && /^\/(?![/\\])/.test(next) ? { next } : {}),
    ...(typeof refused === "string" && Object.hasOwn(REFUSALS, refused) ? { refused: refused as keyof typeof REFUSALS } : {}),
  };
}
