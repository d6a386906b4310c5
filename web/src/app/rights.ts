import { useRouteContext } from "@tanstack/react-router";

import type { Wire } from "../api/client";

/** The kinds of resources, as the permission document names them. */
export type Kind = "Apps" | "Channels" | "Platforms" | "Archs";

/** What one may be allowed to do with them. */
export type Right = "Create" | "Edit" | "Delete" | "Upload";

/** Who is signed in. */
export function useCaller(): Wire["Caller"] {
  return useRouteContext({ from: "/shell" }).caller;
}

/** Whether the caller may do that with resources of a kind: what they may not is not offered. The server decides. */
export function useMay(): (kind: Kind, right: Right) => boolean {
  const caller = useCaller();
  return (kind, right) => caller.is_admin || (caller.permissions?.[kind] as Partial<Record<Right, boolean>> | undefined)?.[right] === true;
}
