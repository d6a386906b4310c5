import { Alert, Title } from "@mantine/core";
import type { FormEvent, ReactNode } from "react";
import { useEffect, useState } from "react";

import { Refused } from "../api/refused";
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
  const [isBusy, setBusy] = useState(false);
  const [refused, setRefused] = useState<Refused>();
  useEffect(() => {
    document.title = `${title} · Headcount`;
  }, [title]);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    setBusy(true);
    setRefused(undefined);
    try {
      await onSubmit(new FormData(event.currentTarget));
    } catch (error) {
      setRefused(error instanceof Refused ? error : Refused.unreachable());
    }
    setBusy(false);
  }

  return (
    <main className={classes["door"]}>
      <form className={classes["form"]} onSubmit={(event) => void submit(event)}>
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

/** What a form has under that name. */
export function field(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === "string" ? value : "";
}
