import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { lastWhole } from "./use-last-day";

beforeEach(() => vi.useFakeTimers({ now: new Date("2026-11-26T09:00:00Z") }));
afterEach(() => vi.useRealTimers());

test("the last whole day is the one before today", () => {
  const days = [
    { date: "2026-11-24", devices: 7 },
    { date: "2026-11-25", devices: 9 },
    { date: "2026-11-26", devices: 2 },
  ];
  expect(lastWhole(days)?.date).toBe("2026-11-25");
});

test("on the first day there is only today", () => {
  const days = [
    { date: "2026-11-24", devices: null },
    { date: "2026-11-25", devices: 0 },
    { date: "2026-11-26", devices: 2 },
  ];
  expect(lastWhole(days)?.date).toBe("2026-11-26");
  expect(lastWhole([])).toBeUndefined();
});
