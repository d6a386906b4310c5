import { UnstyledButton } from "@mantine/core";

import { useChoices } from "./choices";
import { useView } from "./use-view";
import classes from "./ViewBar.module.css";

/** More apps than these are chosen in the filters. */
const MOST = 6;

/** Chooses one app by one press, where there are a few. */
export function AppChoice() {
  const { view, show } = useView();
  const { apps = [] } = useChoices();
  if (apps.length < 2 || apps.length > MOST) return null;
  const { apps: chosen, ...rest } = view;
  return (
    <div className={classes["apps"]} role="group" aria-label="App">
      <UnstyledButton aria-pressed={chosen === undefined} onClick={() => show(rest)}>
        All apps
      </UnstyledButton>
      {apps.map((app) => (
        <UnstyledButton
          key={app}
          aria-pressed={chosen?.includes(app) ?? false}
          onClick={() => show({ ...rest, apps: [app] })}
        >
          {app}
        </UnstyledButton>
      ))}
    </div>
  );
}
