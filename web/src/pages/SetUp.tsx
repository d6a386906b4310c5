import { Button, PasswordInput, TextInput } from "@mantine/core";
import { Link, useRouter } from "@tanstack/react-router";

import { setUp } from "../api/session";
import { SIGN_IN } from "../app/pages";
import { field } from "../parts/use-submit";
import { Door } from "./Door";

/** Creates the first administrator, once. */
export function SetUp() {
  const router = useRouter();
  return (
    <Door
      title="Welcome to Headcount"
      onSubmit={async (form) => {
        await setUp(field(form, "token"), field(form, "username"), field(form, "password"));
        router.history.push("/");
      }}
      below={
        <>
          There is an administrator already? <Link to={SIGN_IN}>Sign in</Link>.
        </>
      }
    >
      {({ isBusy, refused }) => (
        <>
          <TextInput
            name="token"
            label="Setup token"
            description="The server showed it at its start; the file setup-token of its data folder has it, too."
            placeholder="hcx_…"
            autoComplete="off"
            error={refused?.field === "token" ? refused.explained : undefined}
            required
            autoFocus
          />
          <TextInput
            name="username"
            label="Username"
            autoComplete="username"
            error={refused?.field === "username" ? refused.explained : undefined}
            required
          />
          <PasswordInput
            name="password"
            label="Password"
            description="At least 10 characters."
            autoComplete="new-password"
            error={refused?.field === "password" ? refused.explained : undefined}
            required
          />
          <Button type="submit" loading={isBusy}>
            Create the administrator
          </Button>
        </>
      )}
    </Door>
  );
}
