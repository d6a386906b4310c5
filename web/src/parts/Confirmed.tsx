import { Button, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { ReactNode } from "react";

import { FormDialog } from "./FormDialog";

interface ConfirmedProps {
  /** What the button says. */
  label: string;
  /** What it does, and to what: for those who listen, and as the title of the question. */
  title: string;
  /** What will be so afterwards. */
  children: ReactNode;
  /** What has to be typed first, where much is lost. */
  typed?: string;
  onConfirm: (form: FormData) => Promise<unknown>;
}

/** A button that asks before it takes something away. */
export function Confirmed({ label, title, children, typed, onConfirm }: ConfirmedProps) {
  const [isOpen, { open, close }] = useDisclosure(false);
  return (
    <>
      <Button variant="subtle" color="red" size="compact-sm" aria-label={title} onClick={open}>
        {label}
      </Button>
      <FormDialog title={title} isOpen={isOpen} onClose={close} submit={label} isDangerous onSubmit={onConfirm}>
        {() => (
          <>
            {children}
            {typed !== undefined && (
              <TextInput
                label={`Type ${typed} to go on`}
                pattern={typed.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}
                title={typed}
                autoComplete="off"
                required
              />
            )}
          </>
        )}
      </FormDialog>
    </>
  );
}
