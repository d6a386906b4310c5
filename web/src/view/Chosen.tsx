import { UnstyledButton } from "@mantine/core";

import { Icon } from "../parts/Icon";
import { FILTERS } from "./view";
import { useView } from "./use-view";
import classes from "./ViewBar.module.css";

/** The filters that are set, each with a way to take it away. */
export function Chosen() {
  const { view, toggle } = useView();
  const chosen = FILTERS.flatMap(({ name, one }) => (view[name] ?? []).map((value) => ({ name, one, value })));
  if (chosen.length === 0) return null;
  return (
    <ul className={classes["chosen"]} aria-label="Filters that are set">
      {chosen.map(({ name, one, value }) => (
        <li key={`${name}=${value}`}>
          <UnstyledButton
            className={classes["chip"]}
            aria-label={`Take the filter away: ${one} ${value}`}
            onClick={() => toggle(name, value)}
          >
            {one}: <strong>{value}</strong>
            <Icon name="close" size={12} />
          </UnstyledButton>
        </li>
      ))}
    </ul>
  );
}
