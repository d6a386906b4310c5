import { Popover, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useId } from "react";

import classes from "./Definition.module.css";
import { Icon } from "./Icon";

/** What a number or a chart means: shown on hover, on focus and by a tap. */
export function Definition({ of, children }: { of: string; children: string }) {
  const [isOpen, { open, close, toggle }] = useDisclosure(false);
  const id = useId();
  return (
    <Popover opened={isOpen} onDismiss={close} width={300} position="bottom" withArrow shadow="md" withRoles={false}>
      <Popover.Target>
        <UnstyledButton
          className={classes["button"]}
          aria-label={`What is counted: ${of}`}
          aria-describedby={id}
          onMouseEnter={open}
          onMouseLeave={close}
          onFocus={open}
          onBlur={close}
          onClick={toggle}
          onKeyDown={(event) => event.key === "Escape" && close()}
        >
          <Icon name="explain" size={15} />
        </UnstyledButton>
      </Popover.Target>
      <span id={id} className="for-readers">
        {children}
      </span>
      <Popover.Dropdown aria-hidden="true" className={classes["text"]}>
        {children}
      </Popover.Dropdown>
    </Popover>
  );
}
