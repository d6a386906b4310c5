import { type Day, isDay, length, plus } from "./days";

/** The ranges that have a name, with their length in days up to today. */
export const RANGES = [
  { name: "today", days: 1, title: "Today" },
  { name: "7d", days: 7, title: "7 days" },
  { name: "30d", days: 30, title: "30 days" },
  { name: "90d", days: 90, title: "90 days" },
] as const;

export type RangeName = (typeof RANGES)[number]["name"];

/** What one filters by: the word in the address, which is the API's parameter, and what people read. */
export const FILTERS = [
  { name: "apps", one: "App", many: "Apps" },
  { name: "channels", one: "Channel", many: "Channels" },
  { name: "platforms", one: "Platform", many: "Platforms" },
  { name: "architectures", one: "Architecture", many: "Architectures" },
  { name: "versions", one: "Version", many: "Versions" },
  { name: "statuses", one: "Status", many: "Statuses" },
] as const;

export type FilterName = (typeof FILTERS)[number]["name"];

export type Filters = Partial<Record<FilterName, string[]>>;

/** What the pages show: it is the address's query, so that a view is shared by its address. */
export interface View extends Filters {
  /** A named range; without it, and without `from` and `to`, it is that of `DEFAULT_RANGE`. */
  range?: RangeName;
  /** The first day of a range of one's own. */
  from?: Day;
  /** Its last day. */
  to?: Day;
  /** Whether the period before is shown beside it. */
  compare?: boolean;
}

export const DEFAULT_RANGE: RangeName = "30d";

/** The most days of one range, as the server has it. */
const MOST_DAYS = 400;

/** The view that a query of an address says; what cannot be understood is left out. */
export function parseView(query: Record<string, unknown>): View {
  const view: View = {};
  const text = (name: string) => (typeof query[name] === "string" ? (query[name] as string) : undefined);
  const [from, to] = [text("from"), text("to")];
  const named = RANGES.find((range) => range.name === query["range"]);
  if (from !== undefined && to !== undefined && isDay(from) && isDay(to) && from <= to && length(from, to) <= MOST_DAYS) {
    Object.assign(view, { from, to });
  } else if (named !== undefined && named.name !== DEFAULT_RANGE) {
    view.range = named.name;
  }
  if (query["compare"] === "yes" || query["compare"] === true) view.compare = true;
  for (const { name } of FILTERS) {
    const given = query[name];
    const values = Array.isArray(given) ? given.map(String) : (text(name)?.split(",") ?? []);
    const wanted = [...new Set(values.filter((value) => value !== ""))];
    if (wanted.length > 0) view[name] = wanted;
  }
  return view;
}

/** The first and the last day of a view, on that day. */
export function daysOf(view: View, today: Day): { from: Day; to: Day } {
  if (view.from !== undefined && view.to !== undefined) return { from: view.from, to: view.to };
  const name = view.range ?? DEFAULT_RANGE;
  const days = RANGES.find((range) => range.name === name)?.days ?? 1;
  return { from: plus(today, 1 - days), to: today };
}

/** The parameters of the API that ask for this view. */
export function asked(view: View, today: Day): { from: Day; to: Day } & Partial<Record<FilterName, string>> {
  const lists = FILTERS.flatMap(({ name }) => (view[name] === undefined ? [] : [[name, view[name].join(",")] as const]));
  return { ...daysOf(view, today), ...Object.fromEntries(lists) };
}

/** The view with that value among its filters if it was not, and without it if it was. */
export function toggled(view: View, name: FilterName, value: string): View {
  const chosen = view[name] ?? [];
  const values = chosen.includes(value) ? chosen.filter((one) => one !== value) : [...chosen, value];
  const { [name]: _, ...rest } = view;
  return values.length === 0 ? rest : { ...rest, [name]: values };
}

/** How many filters are set. */
export function filtered(view: View): number {
  return FILTERS.filter(({ name }) => view[name] !== undefined).length;
}
