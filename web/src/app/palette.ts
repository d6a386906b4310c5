/**
 * The colours of charts, one list for both themes. They differ in lightness as well as in hue, so that every two stay
 * apart for every kind of colour blindness, and each has a contrast of at least 3 to its background; a test asks both.
 */
export const SERIES: readonly { light: string; dark: string }[] = [
  { light: "#2f5bd0", dark: "#6d95ff" },
  { light: "#d9730d", dark: "#ffb454" },
  { light: "#089d93", dark: "#53c7b9" },
  { light: "#6d1541", dark: "#b4556e" },
  { light: "#9a7bc7", dark: "#cca2fa" },
  { light: "#1e4b64", dark: "#93d0ed" },
  { light: "#434a00", dark: "#9f9148" },
  { light: "#a33f3e", dark: "#e2948e" },
];

/** Colours that mean something: devices on the latest release, below it, held back, and a change for the worse. */
const MEANINGS = {
  latest: { light: "#2f5bd0", dark: "#6d95ff" },
  outdated: { light: "#d9730d", dark: "#ffb454" },
  held: { light: "#6b7683", dark: "#9aa5b1" },
  other: { light: "#79838f", dark: "#8b95a1" },
} as const;

export type Meaning = keyof typeof MEANINGS;

/** The colour of the n-th series; after the last one they begin again. */
export function series(position: number): string {
  return `var(--series-${(position % SERIES.length) + 1})`;
}

/** Whether a name is one of them: statuses are. */
export function isMeaning(name: string): name is Meaning {
  return name in MEANINGS;
}

/** The colour of a meaning. */
export function meaning(of: Meaning): string {
  return `var(--meaning-${of})`;
}

/** The variables of both themes, for the style sheet. */
export function chartVariables(): { light: Record<string, string>; dark: Record<string, string> } {
  const of = (scheme: "light" | "dark") =>
    Object.fromEntries([
      ...SERIES.map((colour, at) => [`--series-${at + 1}`, colour[scheme]]),
      ...Object.entries(MEANINGS).map(([name, colour]) => [`--meaning-${name}`, colour[scheme]]),
    ]) as Record<string, string>;
  return { light: of("light"), dark: of("dark") };
}
