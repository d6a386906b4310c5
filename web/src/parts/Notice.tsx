import { Title } from "@mantine/core";
import type { ReactNode } from "react";

import { Icon, type IconName } from "./Icon";
import classes from "./Notice.module.css";

/** Says in place of something what is the matter and what to do. */
export function Notice({ title, icon, children }: { title: string; icon: IconName; children: ReactNode }) {
  return (
    <div className={classes["notice"]}>
      <Icon name={icon} size={28} />
      <Title order={2}>{title}</Title>
      <div className={classes["text"]}>{children}</div>
    </div>
  );
}
