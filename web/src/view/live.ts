import { useEffect, useState } from "react";

import type { Refusal, Wire } from "../api/client";
import { Refused } from "../api/refused";
import { stringifyQuery } from "./address";
import { FILTERS } from "./view";
import { useView } from "./use-view";

/** How many of the last checks are kept. */
const MOST = 50;

export type LiveCheck = Wire["LiveCheck"] & { key: number };

/** What the stream said so far. */
export interface Live {
  about?: Wire["LiveAbout"];
  now?: Wire["LiveNow"];
  /** The last checks, the newest first. */
  checks: LiveCheck[];
  /** Checks a second, of the last seconds, the oldest first. */
  rates: number[];
  state: "connecting" | "open" | "lost" | "refused" | "ended";
  /** Why nothing new comes. */
  reason?: string;
  /** What the server said when it refused. */
  refused?: Refused | undefined;
}

const NOTHING: Live = { checks: [], rates: [], state: "connecting" };

/** How many seconds of checks a second are kept. */
const SECONDS = 120;

/** Follows the live numbers of what the view filters by. The browser connects again by itself. */
export function useLive(): Live {
  const { view } = useView();
  const filters = stringifyQuery(Object.fromEntries(FILTERS.map(({ name }) => [name, view[name]])));
  const [live, setLive] = useState(NOTHING);
  useEffect(() => {
    setLive(NOTHING);
    const address = `/telemetry/live${filters}`;
    const stream = new EventSource(address);
    let number = 0;
    const on = <T>(name: string, then: (live: Live, told: T) => Live) =>
      stream.addEventListener(name, (event: MessageEvent<string>) => {
        const told = JSON.parse(event.data) as T;
        setLive((before) => then(before, told));
      });
    on<Wire["LiveAbout"]>("about", (before, about) => ({ ...before, about, state: "open" }));
    on<Wire["LiveNow"]>("now", ({ reason: _, ...before }, now) => ({
      ...before,
      now,
      state: "open",
      rates: [...before.rates, now.checks_per_second].slice(-SECONDS),
    }));
    on<Wire["LiveCheck"][]>("checks", (before, told) => {
      const newest = told.map((check) => ({ ...check, key: (number += 1) })).toReversed();
      return { ...before, checks: [...newest, ...before.checks].slice(0, MOST) };
    });
    on<Wire["ErrorBody"]>("unavailable", (before, { error }) => ({ ...before, reason: error }));
    on<Wire["ErrorBody"]>("end", (before, { error }) => {
      stream.close();
      return { ...before, state: "ended", reason: error };
    });
    const asked = new AbortController();
    stream.onerror = () => {
      const state = stream.readyState === EventSource.CLOSED ? "refused" : "lost";
      setLive((before) => (before.state === "ended" ? before : { ...before, state }));
      if (state === "lost") return;
      refusal(address, asked.signal).then((refused) => setLive((before) => ({ ...before, refused })), () => {});
    };
    return () => {
      stream.close();
      asked.abort();
    };
  }, [filters]);
  return live;
}

/** Why the server refuses a stream: the browser's own object does not tell. */
async function refusal(address: string, signal: AbortSignal): Promise<Refused | undefined> {
  const response = await fetch(address, { signal });
  if (response.ok) {
    await response.body?.cancel();
    return undefined;
  }
  return Refused.of(response, (await response.json()) as Refusal);
}
