import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from "@tanstack/react-router";

import { queries, read, whenSignedOut } from "../api/queries";
import { Refused } from "../api/refused";
import { Failed } from "../parts/Failed";
import { Waiting } from "../parts/Waiting";
import { parseQuery, stringifyQuery } from "../view/address";
import { parseView } from "../view/view";
import { parseArrival } from "./arrival";
import { NoSuchPage } from "./NoSuchPage";
import { SET_UP, SIGN_IN } from "./pages";
import { Shell } from "./Shell";

const root = createRootRoute({ notFoundComponent: NoSuchPage });

const signIn = createRoute({
  getParentRoute: () => root,
  path: SIGN_IN,
  validateSearch: parseArrival,
  component: lazyRouteComponent(() => import("../pages/SignIn"), "SignIn"),
});

const setUp = createRoute({
  getParentRoute: () => root,
  path: SET_UP,
  component: lazyRouteComponent(() => import("../pages/SetUp"), "SetUp"),
});

/** All pages for those who are signed in. They share the view. */
const shell = createRoute({
  getParentRoute: () => root,
  id: "shell",
  validateSearch: parseView,
  beforeLoad: async ({ location }) => {
    try {
      return { caller: await queries.ensureQueryData(read("/whoami")) };
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 401) throw error;
      throw redirect({ to: SIGN_IN, search: location.href === "/" ? {} : { next: location.href } });
    }
  },
  component: Shell,
});

const overview = createRoute({
  getParentRoute: () => shell,
  path: "/",
  component: lazyRouteComponent(() => import("../pages/Overview"), "Overview"),
});

const versions = createRoute({
  getParentRoute: () => shell,
  path: "/versions",
  component: lazyRouteComponent(() => import("../pages/Versions"), "Versions"),
});

const platforms = createRoute({
  getParentRoute: () => shell,
  path: "/platforms",
  component: lazyRouteComponent(() => import("../pages/Platforms"), "Platforms"),
});

const audience = createRoute({
  getParentRoute: () => shell,
  path: "/audience",
  component: lazyRouteComponent(() => import("../pages/Audience"), "Audience"),
});

const live = createRoute({
  getParentRoute: () => shell,
  path: "/live",
  component: lazyRouteComponent(() => import("../pages/Live"), "Live"),
});

const attention = createRoute({
  getParentRoute: () => shell,
  path: "/attention",
  component: lazyRouteComponent(() => import("../pages/Attention"), "Attention"),
});

const catalog = createRoute({
  getParentRoute: () => shell,
  path: "/catalog",
  component: lazyRouteComponent(() => import("../pages/catalog/Catalog"), "Catalog"),
});

const releases = createRoute({
  getParentRoute: () => shell,
  path: "/catalog/$app",
  component: lazyRouteComponent(() => import("../pages/catalog/Releases"), "Releases"),
});

const people = createRoute({
  getParentRoute: () => shell,
  path: "/people",
  component: lazyRouteComponent(() => import("../pages/people/People"), "People"),
});

const preferences = createRoute({
  getParentRoute: () => shell,
  path: "/preferences",
  component: lazyRouteComponent(() => import("../pages/settings/Settings"), "Settings"),
});

export const router = createRouter({
  routeTree: root.addChildren([
    signIn,
    setUp,
    shell.addChildren([overview, versions, platforms, audience, live, attention, catalog, releases, people, preferences]),
  ]),
  parseSearch: parseQuery,
  stringifySearch: stringifyQuery,
  defaultPreload: "intent",
  defaultPendingComponent: Waiting,
  defaultErrorComponent: ({ error }) => <Failed error={error} onRetry={again} />,
  scrollRestoration: true,
});

whenSignedOut(again);

/** Forgets what was read, and loads the page anew. */
function again(): void {
  queries.clear();
  void router.invalidate();
}

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
