import { Alert, Button, PasswordInput, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useRouter, useSearch } from "@tanstack/react-router";

import { read } from "../api/queries";
import { signIn } from "../api/session";
import { parseArrival, REFUSALS } from "../app/arrival";
import { SET_UP } from "../app/pages";
import { field } from "../parts/use-submit";
import { Door } from "./Door";

/** Signs a user in, and goes where they wanted to. */
export function SignIn() {
  const router = useRouter();
  // The router keeps what its check left out.
  const { next, refused } = parseArrival(useSearch({ from: "/sign-in" }) as Record<string, unknown>);
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
          {refused !== undefined && <Alert color="red" role="alert" title={REFUSALS[refused]} />}
          <TextInput name="username" label="Username" autoComplete="username" required autoFocus />
          <PasswordInput name="password" label="Password" autoComplete="current-password" required />
          <Button type="submit" loading={isBusy}>
            Sign in
          </Button>
          <ThroughProvider next={next} />
        </>
      )}
    </Door>
  );
}

/** The way through the provider of the house, where there is one. */
function ThroughProvider({ next }: { next: string | undefined }) {
  const provider = useQuery(read("/session/oidc")).data?.provider;
  if (provider == null) return null;
  const query = next === undefined ? "" : `?next=${encodeURIComponent(next)}`;
  return (
    <Button component="a" href={`/session/oidc/begin${query}`} variant="default">
      Sign in with {provider}
    </Button>
  );
}
