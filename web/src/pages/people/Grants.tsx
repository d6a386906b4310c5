import { Checkbox, Fieldset, MultiSelect } from "@mantine/core";
import { useQueries } from "@tanstack/react-query";

import { read } from "../../api/queries";
import type { Kind } from "../../app/rights";
import classes from "./Grants.module.css";
import { GRANTS, has, type Permissions, withAllowed, withRight } from "./grants";

interface GrantsProps {
  permissions: Permissions;
  onChange: (permissions: Permissions) => void;
}

/** What a team user sees, may filter by and may do. */
export function Grants({ permissions, onChange }: GrantsProps) {
  const resources = useResources();
  return (
    <>
      {GRANTS.map(({ kind, title, rights }) => (
        <Fieldset key={kind} legend={title} className={classes["kind"] ?? ""}>
          <MultiSelect
            label={`${title} that the user sees and filters by`}
            placeholder={(permissions[kind]?.Allowed ?? []).length === 0 ? "None" : ""}
            data={resources[kind]}
            value={(permissions[kind]?.Allowed ?? []).filter((id) => resources[kind].some((one) => one.value === id))}
            onChange={(allowed) => onChange(withAllowed(permissions, kind, allowed))}
            searchable
            clearable
          />
          <div className={classes["rights"]}>
            {rights.map(({ right, title: label }) => (
              <Checkbox
                key={right}
                label={label}
                checked={has(permissions, kind, right)}
                onChange={(event) => onChange(withRight(permissions, kind, right, event.currentTarget.checked))}
              />
            ))}
          </div>
        </Fieldset>
      ))}
    </>
  );
}

function useResources(): Record<Kind, { value: string; label: string }[]> {
  const [apps, channels, platforms, archs] = useQueries({
    queries: [read("/app/list"), read("/channel/list"), read("/platform/list"), read("/arch/list")],
  });
  return {
    Apps: (apps.data?.apps ?? []).map((one) => ({ value: one.ID, label: one.AppName })),
    Channels: (channels.data?.channels ?? []).map((one) => ({ value: one.ID, label: one.ChannelName })),
    Platforms: (platforms.data?.platforms ?? []).map((one) => ({ value: one.ID, label: one.PlatformName })),
    Archs: (archs.data?.archs ?? []).map((one) => ({ value: one.ID, label: one.ArchID })),
  };
}
