import { Alert, Button } from "@mantine/core";
import type { ReactNode } from "react";

import type { Refused } from "../api/refused";
import { Dialog } from "./Dialog";
import classes from "./FormDialog.module.css";
import { useSubmit } from "./use-submit";

interface FormDialogProps extends FormProps {
  title: string;
  isOpen: boolean;
  size?: "md" | "lg" | "xl";
}

interface FormProps {
  onClose: () => void;
  /** What the button says. */
  submit: string;
  /** Whether it takes something away for good. */
  isDangerous?: boolean;
  /** Does it; the dialog closes when it is done, and shows why it was refused else. */
  onSubmit: (form: FormData) => Promise<unknown>;
  /** The names of the fields that show refusals of their own. */
  fields?: readonly string[];
  children: (refused: Refused | undefined) => ReactNode;
}

/** One form in a dialog. */
export function FormDialog({ title, isOpen, size = "md", ...form }: FormDialogProps) {
  return (
    <Dialog title={title} isOpen={isOpen} onClose={form.onClose} size={size}>
      <Form {...form} />
    </Dialog>
  );
}

/** It is there only while the dialog is open, and so begins anew each time. */
function Form({ onClose, submit, isDangerous = false, fields = [], children, ...props }: FormProps) {
  const { isBusy, refused, onSubmit } = useSubmit(async (form) => {
    await props.onSubmit(form);
    onClose();
  });
  const isShown = refused?.field !== undefined && fields.includes(refused.field);
  return (
    <form onSubmit={onSubmit}>
      {refused !== undefined && !isShown && <Alert color="red" role="alert" title={refused.explained} />}
      {children(refused)}
      <div className={classes["buttons"]}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" loading={isBusy} {...(isDangerous ? { color: "red" } : {})}>
          {submit}
        </Button>
      </div>
    </form>
  );
}
