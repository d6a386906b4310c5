import { UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { useEffect } from "react";

import { Icon } from "../parts/Icon";
import { Account } from "./Account";
import { PAGES } from "./pages";
import classes from "./Shell.module.css";

/** The frame of all pages: the navigation beside them, or above them where it is narrow. */
export function Shell() {
  const [isOpen, { close, toggle }] = useDisclosure(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const page = PAGES.find((one) => one.path === path);
  useEffect(() => {
    document.title = page === undefined ? "Headcount" : `${page.title} · Headcount`;
    close();
  }, [page, close]);
  return (
    <div className={classes["shell"]}>
      <a href="#page" className={classes["skip"]}>
        Skip to the page
      </a>
      <header className={classes["head"]}>
        <Link to="/" className={classes["brand"]}>
          <img src="/icon.svg" alt="" width={26} height={26} />
          Headcount
        </Link>
        <UnstyledButton
          className={classes["menu"]}
          aria-expanded={isOpen}
          aria-controls="navigation"
          aria-label={isOpen ? "Close the navigation" : "Open the navigation"}
          onClick={toggle}
        >
          <Icon name={isOpen ? "close" : "menu"} size={22} />
        </UnstyledButton>
      </header>
      <div id="navigation" className={classes["side"]} data-open={isOpen}>
        <nav aria-label="Pages">
          {PAGES.map(({ path: to, title, icon }) => (
            <Link
              key={to}
              to={to}
              // The view goes along.
              search={(view) => view}
              activeOptions={{ exact: to === "/", includeSearch: false }}
              className={classes["link"]}
            >
              <Icon name={icon} />
              {title}
            </Link>
          ))}
        </nav>
        <Account />
      </div>
      <main id="page" tabIndex={-1} className={classes["page"]}>
        <Outlet />
      </main>
    </div>
  );
}
