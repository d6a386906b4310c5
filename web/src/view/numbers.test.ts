import { expect, test } from "vitest";

import { change, compact, counted, percent, share, whole } from "./numbers";

test("numbers have thousands separators, and what is not known is a dash", () => {
  expect([whole(1234567), whole(0), whole(null)]).toEqual(["1,234,567", "0", "–"]);
  expect([percent(0.1234), percent(1), percent(undefined)]).toEqual(["12.3%", "100.0%", "–"]);
  expect([compact(950), compact(12_345)]).toEqual(["950", "12.3K"]);
});

test("one of something has no plural", () => {
  expect([counted(1, "check"), counted(0, "check"), counted(1000, "check")]).toEqual(["1 check", "0 checks", "1,000 checks"]);
});

test("changes and shares of nothing are not known", () => {
  expect([change(110, 100), change(90, 100), change(100, 100)]).toEqual(["+10%", "-10%", "0%"]);
  expect([change(1, 0), change(1, null), share(1, 0), share(null, 2)]).toEqual(["–", "–", null, null]);
  expect(share(1, 4)).toBe(0.25);
});
