import { expect, test } from "vitest";

import { compareVersions, newestFirst } from "./versions";

test("versions sort as versions", () => {
  const sorted = ["0.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-rc.2", "1.0.0-rc.10", "1.0.0", "1.2"];
  sorted.push("1.10.0", "2.0.0.3", "2.0.0.11", "18446744073709551615.1", "(other)");
  expect(sorted.toReversed().toSorted(compareVersions)).toEqual(sorted);
  expect(["1.9", "(other)", "1.10"].toSorted(newestFirst)).toEqual(["(other)", "1.10", "1.9"]);
});

test("zeros at the end and builds make no difference", () => {
  expect(compareVersions("1.2", "1.2.0")).toBe(0);
  expect(compareVersions("1.2.0+b7", "1.2.0+b6")).toBe(0);
  expect(compareVersions("1.2.0-rc.1", "1.2.0-rc.1")).toBe(0);
});
