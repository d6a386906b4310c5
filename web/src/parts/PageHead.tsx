import { Title } from "@mantine/core";
import type { ReactNode } from "react";

import classes from "./PageHead.module.css";

/** The head of a page that shows no range of days: its title, what it is about, and what one can do. */
export function PageHead({ title, about, children }: { title: string; about?: ReactNode; children?: ReactNode }) {
  return (
    <div className={classes["head"]}>
      <div>
        <Title order={1}>{title}</Title>
        {about !== undefined && <p className={classes["about"]}>{about}</p>}
      </div>
      {children !== undefined && <div className={classes["actions"]}>{children}</div>}
    </div>
  );
}
