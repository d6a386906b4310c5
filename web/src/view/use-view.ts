import { useNavigate, useSearch } from "@tanstack/react-router";

import { dayOf } from "./days";
import { asked, type FilterName, parseView, toggled, type View } from "./view";

/** The view of the address, and ways to change it. */
export function useView() {
  // The router keeps what its check left out.
  const view = parseView(useSearch({ from: "/shell" }) as Record<string, unknown>);
  const navigate = useNavigate();
  const show = (next: View) => void navigate({ to: ".", search: next, resetScroll: false });
  return {
    view,
    /** What the API is asked for. */
    question: asked(view, dayOf(new Date())),
    /** Shows another view, at an address of its own. */
    show,
    /** Filters by that value, or no longer. */
    toggle: (name: FilterName, value: string) => show(toggled(view, name, value)),
  };
}
