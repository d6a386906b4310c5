import { Modal } from "@mantine/core";
import type { ReactNode } from "react";

import classes from "./Dialog.module.css";

interface DialogProps {
  title: string;
  isOpen: boolean;
  onClose: () => void;
  size?: "md" | "lg" | "xl";
  children: ReactNode;
}

/** What is in front of a page until it is done or closed. What is in it begins anew each time. */
export function Dialog({ title, isOpen, onClose, size = "md", children }: DialogProps) {
  return (
    <Modal
      opened={isOpen}
      onClose={onClose}
      title={title}
      size={size}
      closeButtonProps={{ "aria-label": "Close" }}
      classNames={{
        content: classes["content"] ?? "",
        header: classes["header"] ?? "",
        title: classes["title"] ?? "",
        body: classes["body"] ?? "",
      }}
    >
      {children}
    </Modal>
  );
}
