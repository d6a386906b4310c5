import { expect, test } from "vitest";

import { SERIES } from "./palette";

type Colour = [number, number, number];

/** How colours look to those who lack a kind of cone, in linear light (Viénot 1999; Brettel for the third). */
const EYES: Record<string, number[][]> = {
  all: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protanopia: [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
  deuteranopia: [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
  tritanopia: [[1, 0.1461, -0.1461], [0, 0.8517, 0.1483], [0, 0.8517, 0.1483]],
};

function linear(hex: string): Colour {
  return [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as Colour;
}

function seen(colour: Colour, eye: number[][]): Colour {
  return eye.map((row) => Math.max(0, row.reduce((sum, weight, at) => sum + weight * (colour[at] ?? 0), 0))) as Colour;
}

/** The place in OKLab, where distances are those of perception. */
function oklab([r, g, b]: Colour): Colour {
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function contrast(one: Colour, other: Colour): number {
  const light = ([r, g, b]: Colour) => 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  const [a, b] = [light(one), light(other)];
  return Math.max(a, b) / Math.min(a, b);
}

for (const [scheme, surface] of [["light", "#ffffff"], ["dark", "#171b21"]] as const) {
  const colours = SERIES.map((colour) => colour[scheme]);

  test(`every line stands out from the ${scheme} background`, () => {
    for (const colour of colours) {
      expect(contrast(linear(colour), linear(surface)), colour).toBeGreaterThanOrEqual(3);
    }
  });

  for (const [name, eye] of Object.entries(EYES)) {
    test(`every two lines differ in the ${scheme} theme, eyes: ${name}`, () => {
      const places = colours.map((colour) => oklab(seen(linear(colour), eye)));
      for (const [at, here] of places.entries()) {
        for (const [earlier, there] of places.slice(0, at).entries()) {
          const distance = Math.hypot(...here.map((part, axis) => part - (there[axis] ?? 0)));
          expect(distance, `${colours[earlier]} and ${colours[at]}`).toBeGreaterThan(0.055);
        }
      }
    });
  }
}
