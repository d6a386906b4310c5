import { expect, test } from "vitest";

import { parseQuery, stringifyQuery } from "./address";
import { asked, daysOf, parseView, toggled, type View } from "./view";

const TODAY = "2026-03-01";

test("a view survives its address", () => {
  const views: View[] = [
    {},
    { range: "today" },
    { range: "90d", compare: true, apps: ["my app", "desk"], platforms: ["linux"] },
    { from: "2026-01-31", to: "2026-02-28", versions: ["1.0.0+b7", "2.0.0-rc.1"], statuses: ["outdated"] },
  ];
  for (const view of views) {
    expect(parseView(parseQuery(stringifyQuery({ ...view })))).toEqual(view);
  }
  expect(stringifyQuery({ apps: ["a b", "c"], compare: true, from: undefined })).toBe("?apps=a+b,c&compare=yes");
  expect(stringifyQuery({})).toBe("");
});

test("what an address says wrong is left out", () => {
  const wrong = ["range=year", "range=30d", "from=2026-02-01", "from=2026-02-30&to=2026-03-01", "apps=", "x=y"];
  wrong.push("from=2026-03-01&to=2026-02-01", "from=2020-01-01&to=2026-01-01", "compare=no", "apps=,,");
  for (const query of wrong) expect(parseView(parseQuery(query)), query).toEqual({});
  expect(parseView(parseQuery("apps=a,,a,b"))).toEqual({ apps: ["a", "b"] });
});

test("a range is a number of days up to today", () => {
  expect(daysOf({}, TODAY)).toEqual({ from: "2026-01-31", to: TODAY });
  expect(daysOf({ range: "today" }, TODAY)).toEqual({ from: TODAY, to: TODAY });
  expect(daysOf({ range: "7d" }, TODAY)).toEqual({ from: "2026-02-23", to: TODAY });
  expect(asked({ range: "today", apps: ["a", "b"] }, TODAY)).toEqual({ from: TODAY, to: TODAY, apps: "a,b" });
});

test("a click filters, and the next one takes it away", () => {
  const once = toggled({ range: "7d" }, "platforms", "linux");
  expect(once).toEqual({ range: "7d", platforms: ["linux"] });
  expect(toggled(once, "platforms", "darwin")).toEqual({ range: "7d", platforms: ["linux", "darwin"] });
  expect(toggled(once, "platforms", "linux")).toEqual({ range: "7d" });
});
