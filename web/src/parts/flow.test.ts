import { expect, test } from "vitest";

import { gathered, layOut } from "./flow";

const FLOWS = [
  { from: "2", to: "3", devices: 60 },
  { from: "2", to: "2", devices: 20 },
  { from: "1", to: "3", devices: 10 },
  { from: "new", to: "3", devices: 10 },
];

test("bars and bands are as high as their devices are many, and none covers another", () => {
  const { left, right, bands } = layOut(FLOWS, 116);
  expect(left.map(({ name, devices, y, height }) => [name, devices, y, height])).toEqual([
    ["2", 80, 0, 80],
    ["1", 10, 88, 10],
    ["new", 10, 106, 10],
  ]);
  expect(right.map(({ name, y, height }) => [name, y, height])).toEqual([["3", 0, 80], ["2", 88, 20]]);
  expect(bands.map(({ y1, y2, height }) => [y1, y2, height])).toEqual([
    [0, 0, 60],
    [60, 88, 20],
    [88, 60, 10],
    [106, 70, 10],
  ]);
});

test("names have room, however small their bars are", () => {
  const flows = [["a", 1], ["b", 1], ["c", 998]].map(([from, devices]) => ({ from: String(from), to: "3", devices: Number(devices) }));
  const { left, right } = layOut(flows, 128);
  expect(left.map(({ y, height }) => [Math.round(y), Math.round(height)])).toEqual([[3, 2], [17, 2], [28, 100]]);
  expect(right.map(({ y, height }) => [y, Math.round(height)])).toEqual([[0, 100]]);
});

test("small ends are gathered, and no device is lost", () => {
  expect(gathered(FLOWS, 1, "others")).toEqual([
    { from: "2", to: "3", devices: 60 },
    { from: "2", to: "others", devices: 20 },
    { from: "others", to: "3", devices: 20 },
  ]);
  expect(gathered(FLOWS, 9, "others")).toEqual(FLOWS);
});
