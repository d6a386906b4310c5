import { Alert, Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";

import type { Refused } from "../api/refused";
import { useSubmit } from "../parts/use-submit";
import classes from "./Door.module.css";

interface DoorProps {
  title: string;
  /** What it does, when all fields are filled; a refusal is shown. */
  onSubmit: (form: FormData) => Promise<void>;
  children: (state: { isBusy: boolean; refused: Refused | undefined }) => ReactNode;
  /** What stands below the form. */
  below: ReactNode;
}

/** The frame of the pages in front of the dashboard: one form in the middle. */
export function Door({ title, onSubmit, children, below }: DoorProps) {
  const { isBusy, refused, onSubmit: submit } = useSubmit(onSubmit);
  useEffect(() => {
    document.title = `${title} · Headcount`;
  }, [title]);
  return (
    <main className={classes["door"]}>
      <form className={classes["form"]} onSubmit={submit}>
        <img src="/icon.svg" alt="" width={40} height={40} />
        <Title order={1}>{title}</Title>
        {refused !== undefined && refused.field === undefined && (
          <Alert color="red" role="alert" title={refused.explained} />
        )}
        {children({ isBusy, refused })}
        <p className={classes["below"]}>{below}</p>
      </form>
    </main>
  );
}
