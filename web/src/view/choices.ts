import { useQueries } from "@tanstack/react-query";

import { read } from "../api/queries";
import { STATUSES } from "./dimensions";
import type { FilterName } from "./view";

/** What one may filter by, from the lists that the server shows the caller. */
export function useChoices(): Partial<Record<FilterName, string[]>> {
  const [apps, channels, platforms, architectures] = useQueries({
    queries: [read("/app/list"), read("/channel/list"), read("/platform/list"), read("/arch/list")],
  });
  return {
    apps: (apps.data?.apps ?? []).map((app) => app.AppName),
    channels: (channels.data?.channels ?? []).map((channel) => channel.ChannelName),
    platforms: (platforms.data?.platforms ?? []).map((platform) => platform.PlatformName),
    architectures: (architectures.data?.archs ?? []).map((arch) => arch.ArchID),
    statuses: STATUSES,
  };
}
