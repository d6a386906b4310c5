import { expect, test } from "vitest";

import type { Wire } from "../api/client";
import { linesOf, sharesOf } from "./series";
import { newestFirst } from "./versions";

function breakdown(devices: Record<string, number[]>): Wire["Breakdown"] {
  const rows = Object.entries(devices).map(([value, days]) => ({ value, devices: Math.max(...days), share: 0, requests: 0 }));
  const series = ["2026-03-01", "2026-03-02"].map((date, day) => ({
    date,
    values: Object.values(devices).map((days) => days[day] ?? 0),
  }));
  return { as_of: "", from: "", to: "", definitions: {}, incomplete: [], by: "version", rows, total: { devices: 0, requests: 0 }, series };
}

test("the most frequent versions have lines, the newest first, and the others share one", () => {
  const many = { "1.0": [90, 80], "1.10": [50, 60], "1.9": [40, 30], a: [9, 9], b: [8, 8], c: [7, 7], d: [6, 6], e: [5, 4], f: [3, 2] };
  const { lines, points } = linesOf(breakdown(many), newestFirst);
  expect(lines.slice(0, 3).map((line) => line.title)).toEqual(["1.10", "1.9", "1.0"]);
  expect(lines.at(-1)).toMatchObject({ name: "others", title: "2 others" });
  expect(points[1]).toMatchObject({ date: "2026-03-02", v0: 60, v1: 30, v2: 80, others: 6 });
});

test("shares are parts of the sum of a day", () => {
  const { lines, points } = linesOf(breakdown({ "2.0": [3, 0], "1.0": [1, 0] }), newestFirst);
  expect(sharesOf(points, lines)).toEqual([
    { date: "2026-03-01", v0: 0.75, v1: 0.25 },
    { date: "2026-03-02", v0: null, v1: null },
  ]);
});
