import { type FormEvent, useState } from "react";

import { Refused } from "../api/refused";

/** How a form is sent: once at a time, and what was refused is kept until it is sent again. */
export function useSubmit(send: (form: FormData) => Promise<unknown>) {
  const [isBusy, setBusy] = useState(false);
  const [refused, setRefused] = useState<Refused>();

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    setBusy(true);
    setRefused(undefined);
    try {
      await send(new FormData(event.currentTarget));
    } catch (error) {
      setRefused(error instanceof Refused ? error : Refused.unreachable());
    }
    setBusy(false);
  }

  return { isBusy, refused, onSubmit: (event: FormEvent<HTMLFormElement>) => void submit(event) };
}

/** What a form has under that name. */
export function field(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === "string" ? value : "";
}

/** Why the server refused that field, if it did. */
export function fault(refused: Refused | undefined, name: string): string | undefined {
  return refused?.field === name ? refused.explained : undefined;
}
