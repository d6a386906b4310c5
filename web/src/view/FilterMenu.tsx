import { Button, MultiSelect, Popover } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";

import { Icon } from "../parts/Icon";
import { useChoices } from "./choices";
import { FILTERS, type FilterName, filtered, type View } from "./view";
import { useView } from "./use-view";
import classes from "./ViewBar.module.css";

/** Chooses what is counted, among what the caller may filter by. */
export function FilterMenu() {
  const { view, show } = useView();
  const choices = useChoices();
  const [isOpen, { close, toggle }] = useDisclosure(false);
  const number = filtered(view);
  return (
    <Popover opened={isOpen} onDismiss={close} position="bottom-end" shadow="md" trapFocus returnFocus>
      <Popover.Target>
        <Button variant="default" leftSection={<Icon name="filter" size={16} />} onClick={toggle}>
          {number === 0 ? "Filters" : `Filters (${number})`}
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label="Filters">
        <div className={classes["form"]}>
          {FILTERS.filter(({ name }) => choices[name] !== undefined).map(({ name, many }) => (
            <MultiSelect
              key={name}
              label={many}
              placeholder={view[name] === undefined ? "All" : ""}
              data={[...new Set([...(choices[name] ?? []), ...(view[name] ?? [])])]}
              value={view[name] ?? []}
              onChange={(values) => show(withFilter(view, name, values))}
              comboboxProps={{ withinPortal: false }}
              nothingFoundMessage="There is none"
              searchable
              clearable
            />
          ))}
          <p className={classes["hint"]}>
            Values of one filter are added together. A device counts when it was seen with a chosen value of every filter.
          </p>
        </div>
      </Popover.Dropdown>
    </Popover>
  );
}

function withFilter(view: View, name: FilterName, values: string[]): View {
  const { [name]: _, ...rest } = view;
  return values.length === 0 ? rest : { ...rest, [name]: values };
}
