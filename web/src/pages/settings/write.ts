import type { Wire } from "../../api/client";
import { body, server } from "../../api/server";
import { useWrite } from "../../api/write";

/** Settles something anew; what is not given stays. */
export function useSettle() {
  return useWrite((update: Partial<Wire["SettingsUpdate"]>) => body(server.POST("/settings", { body: update })), "/settings");
}
