import type { ReactNode } from "react";

import classes from "./Layout.module.css";

/** The parts of a page, one below the other. */
export function Stacked({ children }: { children: ReactNode }) {
  return <div className={classes["page"]}>{children}</div>;
}

/** Parts of a page beside each other where there is room. */
export function Halves({ children }: { children: ReactNode }) {
  return <div className={classes["halves"]}>{children}</div>;
}

/** Figures in a row. */
export function Figures({ children }: { children: ReactNode }) {
  return <dl className={classes["figures"]}>{children}</dl>;
}
