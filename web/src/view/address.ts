/** The query of an address as text: lists are separated by commas, what is true is `yes`. */
export function stringifyQuery(query: Record<string, unknown>): string {
  const pairs = Object.entries(query).flatMap(([name, value]): [string, string][] => {
    if (value === undefined || value === null || value === false) return [];
    if (Array.isArray(value)) return value.length === 0 ? [] : [[name, value.join(",")]];
    return [[name, value === true ? "yes" : String(value)]];
  });
  // Commas may stand in a query as they are, and are easier to read so.
  const text = new URLSearchParams(pairs).toString().replaceAll("%2C", ",");
  return text === "" ? "" : `?${text}`;
}

/** The texts of a query. */
export function parseQuery(text: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(text));
}
