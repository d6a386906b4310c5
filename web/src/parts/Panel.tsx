import { Title } from "@mantine/core";
import { type ReactNode, useId } from "react";

import { Definition } from "./Definition";
import classes from "./Panel.module.css";

interface PanelProps {
  title: string;
  /** What the title's numbers mean. */
  definition?: string | undefined;
  /** What is counted, and of when. */
  units?: string | undefined;
  actions?: ReactNode;
  children: ReactNode;
}

/** A titled part of a page. */
export function Panel({ title, definition, units, actions, children }: PanelProps) {
  const id = useId();
  return (
    <section className={classes["panel"]} aria-labelledby={id}>
      <header className={classes["head"]}>
        <div className={classes["titles"]}>
          <div className={classes["title"]}>
            <Title order={2} id={id}>
              {title}
            </Title>
            {definition !== undefined && <Definition of={title}>{definition}</Definition>}
          </div>
          {units !== undefined && <p className={classes["units"]}>{units}</p>}
        </div>
        {actions !== undefined && <div className={classes["actions"]}>{actions}</div>}
      </header>
      {children}
    </section>
  );
}
