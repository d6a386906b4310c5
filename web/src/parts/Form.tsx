import type { FormEvent, ReactNode } from "react";

import classes from "./Form.module.css";

/** The fields of a panel, one below the other, no wider than one reads. */
export function Form({ onSubmit, children }: { onSubmit: (event: FormEvent<HTMLFormElement>) => void; children: ReactNode }) {
  return (
    <form className={classes["form"]} onSubmit={onSubmit}>
      {children}
    </form>
  );
}
