import type { ReactNode } from "react";

import classes from "./RowActions.module.css";

/** What can be done with one row of a table. */
export function RowActions({ children }: { children: ReactNode }) {
  return <div className={classes["actions"]}>{children}</div>;
}
