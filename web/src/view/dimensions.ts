import { newestFirst } from "./versions";
import type { FilterName } from "./view";

/** What devices are broken down by: the API's word, the filter of it, and what people read. */
export const DIMENSIONS = {
  version: { filter: "versions", one: "version", title: "Version" },
  platform: { filter: "platforms", one: "platform", title: "Platform" },
  arch: { filter: "architectures", one: "architecture", title: "Architecture" },
  channel: { filter: "channels", one: "channel", title: "Channel" },
  status: { filter: "statuses", one: "status", title: "Status" },
} as const satisfies Record<string, { filter: FilterName; one: string; title: string }>;

export type Dimension = keyof typeof DIMENSIONS;

/** The statuses, the best first. */
export const STATUSES = ["latest", "held", "outdated"];

/** How the values of a dimension are ordered: versions as versions, the newest first, and names as texts. */
export function compareValues(dimension: Dimension): (left: string, right: string) => number {
  if (dimension === "version") return newestFirst;
  if (dimension === "status") return (left, right) => STATUSES.indexOf(left) - STATUSES.indexOf(right);
  return (left, right) => left.localeCompare(right, "en");
}
