import { useQuery } from "@tanstack/react-query";

import { read } from "../api/queries";
import type { Mark } from "../parts/DayChart";
import { useView } from "./use-view";

/** When the releases of the one app that is chosen were published within the view, as marks. */
export function useReleaseMarks(): Mark[] {
  const { view, question } = useView();
  const app = view.apps?.length === 1 ? view.apps[0] : undefined;
  const listed = useQuery({ ...read("/release/list", { app_name: app ?? "", limit: "50" }), enabled: app !== undefined });
  return (listed.data?.items ?? []).flatMap((release) => {
    const date = release.published_at?.slice(0, 10);
    const isShown = date !== undefined && date >= question.from && date <= question.to;
    const isAsked = view.channels === undefined || view.channels.includes(release.channel);
    return isShown && isAsked ? [{ date, label: release.version, isMinor: release.version.includes("-") }] : [];
  });
}
