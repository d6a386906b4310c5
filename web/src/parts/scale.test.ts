import { expect, test } from "vitest";

import { areaPath, labelled, linePath, ticks } from "./scale";

test("an axis has round whole numbers up to the greatest", () => {
  expect(ticks(0)).toEqual([0, 1]);
  expect(ticks(3)).toEqual([0, 1, 2, 3]);
  expect(ticks(97)).toEqual([0, 25, 50, 75, 100]);
  expect(ticks(1_203)).toEqual([0, 500, 1_000, 1_500]);
  for (let most = 1; most < 5_000; most += 7) {
    const marks = ticks(most);
    expect(marks.at(-1)).toBeGreaterThanOrEqual(most);
    expect(marks.length).toBeLessThanOrEqual(6);
    expect(marks.every(Number.isInteger)).toBe(true);
  }
});

test("labels are evenly spread, and the last day has one", () => {
  expect(labelled(31, 6)).toEqual([0, 6, 12, 18, 24, 30]);
  expect(labelled(8, 3)).toEqual([3, 7]);
  expect(labelled(1, 5)).toEqual([0]);
  expect(labelled(0, 5)).toEqual([]);
});

test("lines have gaps where nothing is known", () => {
  expect(linePath([[0, 1], [1, 2], null, [3, 4]])).toBe("M0.0,1.0L1.0,2.0M3.0,4.0");
  expect(areaPath([[0, 1], [1, 2]], [[0, 9], [1, 9]])).toBe("M0.0,1.0L1.0,2.0L1.0,9.0L0.0,9.0Z");
  expect(areaPath([null], [null])).toBe("");
});
