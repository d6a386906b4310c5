import { Button, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useRouteContext, useRouter } from "@tanstack/react-router";

import { queries } from "../api/queries";
import { signOut } from "../api/session";
import { Icon } from "../parts/Icon";
import classes from "./Account.module.css";

/** Who is signed in, the theme, and the way out. */
export function Account() {
  const { caller } = useRouteContext({ from: "/shell" });
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme("light");
  const router = useRouter();
  const other = scheme === "dark" ? "light" : "dark";

  async function leave() {
    await signOut();
    queries.clear();
    await router.invalidate();
  }

  return (
    <div className={classes["account"]}>
      <p className={classes["caller"]}>
        <strong>{caller.username}</strong>
        <span>{caller.is_admin ? "Administrator" : `Team user of ${caller.owner ?? ""}`}</span>
      </p>
      <Button
        variant="subtle"
        color="gray"
        size="compact-sm"
        justify="flex-start"
        leftSection={<Icon name={other} size={16} />}
        onClick={() => setColorScheme(other)}
      >
        {other === "dark" ? "Dark theme" : "Light theme"}
      </Button>
      <Button
        variant="subtle"
        color="gray"
        size="compact-sm"
        justify="flex-start"
        leftSection={<Icon name="signOut" size={16} />}
        onClick={() => void leave()}
      >
        Sign out
      </Button>
    </div>
  );
}
