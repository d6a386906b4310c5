import type { IconName } from "../parts/Icon";

/** The pages of the navigation, in its order. */
export const PAGES = [
  { path: "/", title: "Overview", icon: "overview" },
  { path: "/versions", title: "Versions", icon: "versions" },
  { path: "/platforms", title: "Platforms", icon: "platforms" },
  { path: "/audience", title: "Audience", icon: "audience" },
  { path: "/live", title: "Live", icon: "live" },
  { path: "/attention", title: "Attention", icon: "attention" },
  { path: "/catalog", title: "Catalog", icon: "catalog" },
  { path: "/people", title: "People", icon: "people" },
  { path: "/preferences", title: "Settings", icon: "settings" },
] as const satisfies readonly {
  path: string;
  title: string;
  icon: IconName;
}[];

/** The pages without the navigation. */
export const SIGN_IN = "/sign-in";
export const SET_UP = "/set-up";
