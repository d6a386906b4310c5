import { Button, PasswordInput, TextInput } from "@mantine/core";
import { Link, useRouter, useSearch } from "@tanstack/react-router";

import { signIn } from "../api/session";
import { parseArrival } from "../app/arrival";
import { SET_UP } from "../app/pages";
import { field } from "../parts/use-submit";
import { Door } from "./Door";

/** Signs a user in, and goes where they wanted to. */
export function SignIn() {
  const router = useRouter();
  // The router keeps what its check left out.
  const { next } = parseArrival(useSearch({ from: "/sign-in" }) as Record<string, unknown>);
  return (
    <Door
      title="Sign in"
      onSubmit={async (form) => {
        await signIn(field(form, "username"), field(form, "password"));
        router.history.push(next ?? "/");
      }}
      below={
        <>
          The first time? <Link to={SET_UP}>Create the administrator</Link> with the token that the server showed.
        </>
      }
    >
      {({ isBusy }) => (
        <>
          <TextInput name="username" label="Username" autoComplete="username" required autoFocus />
          <PasswordInput name="password" label="Password" autoComplete="current-password" required />
          <Button type="submit" loading={isBusy}>
            Sign in
          </Button>
        </>
      )}
    </Door>
  );
}
