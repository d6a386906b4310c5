import type { IconName } from "../parts/Icon";

/** The pages of the navigation, in its order. */
export const PAGES = [{ path: "/", title: "Overview", icon: "overview" }] as const satisfies readonly {
  path: string;
  title: string;
  icon: IconName;
}[];

/** The pages without the navigation. */
export const SIGN_IN = "/sign-in";
export const SET_UP = "/set-up";
