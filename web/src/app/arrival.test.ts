import { expect, test } from "vitest";

import { parseArrival } from "./arrival";

test("only known reasons are told", () => {
  expect(parseArrival({ refused: "no-role" })).toEqual({ refused: "no-role" });
  for (const refused of ["toString", "<b>", 7]) expect(parseArrival({ refused })).toEqual({});
});

test("only addresses of this server are gone to", () => {
  for (const next of ["/", "/versions?range=7d", "/a//b"]) expect(parseArrival({ next })).toEqual({ next });
  for (const next of ["//elsewhere.example.com", "/\\elsewhere.example.com", "https://elsewhere.example.com", "", 7]) {
    expect(parseArrival({ next })).toEqual({});
  }
});
