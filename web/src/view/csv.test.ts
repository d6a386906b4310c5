import { expect, test } from "vitest";

import { csv } from "./csv";

test("a table as CSV: quoted where needed, and no cell is a formula", () => {
  const rows = [
    ["a, b", 1, null],
    ['say "hi"', -2, "=1+1"],
    ["two\nlines", 0.5, "@cmd"],
  ];
  expect(csv(["name", "number", "note"], rows)).toBe(
    `name,number,note\r\n"a, b",1,\r\n"say ""hi""",-2,'=1+1\r\n"two\nlines",0.5,'@cmd\r\n`,
  );
});
