import { Button, Code, CopyButton, Select, Tabs } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { read } from "../../api/queries";
import { useCaller } from "../../app/rights";
import { Icon } from "../../parts/Icon";
import { Panel } from "../../parts/Panel";
import { useChoices } from "../../view/choices";
import { dayOf } from "../../view/days";
import { counted } from "../../view/numbers";
import classes from "./FirstCheck.module.css";
import { type Place, SNIPPETS } from "./snippets";

/** Stands where nothing was ever counted: how the first check comes about, and that it has come. */
export function FirstCheck() {
  const { apps = [] } = useChoices();
  const caller = useCaller();
  const [chosen, setChosen] = useState<string | null>(null);
  const app = chosen ?? apps[0] ?? "myapp";
  // What a release offers is answered with it; what none offers is refused.
  const releases = useQuery({ ...read("/release/list", { app_name: app }), enabled: apps.length > 0 });
  const release = releases.data?.items.find((one) => one.publish && one.artifacts.length > 0);
  const place: Place = {
    server: globalThis.location.origin,
    owner: caller.owner ?? caller.username,
    app,
    channel: release?.channel ?? "stable",
    platform: release?.artifacts[0]?.platform ?? "linux",
    arch: release?.artifacts[0]?.arch ?? "amd64",
  };
  return (
    <Panel title="Send the first check" units="Your app asks for updates; every question is counted">
      <ol className={classes["steps"]}>
        <li>
          {apps.length === 0 ? (
            <p>
              Describe what you ship in the <Link to="/catalog">catalog</Link>: an app, a channel, a platform, an architecture
              and a published release. The snippets below have made-up names until then.
            </p>
          ) : (
            <Select label="App" data={apps} value={app} onChange={setChosen} allowDeselect={false} maw={280} />
          )}
        </li>
        <li>
          <p>Ask for updates from your app, or try it with curl:</p>
          <Snippets place={place} />
        </li>
        <li>
          <Arrival />
        </li>
      </ol>
    </Panel>
  );
}

function Snippets({ place }: { place: Place }) {
  return (
    <Tabs defaultValue={SNIPPETS[0]?.title ?? ""}>
      <Tabs.List>
        {SNIPPETS.map(({ title }) => (
          <Tabs.Tab key={title} value={title}>
            {title}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {SNIPPETS.map(({ title, note, text }) => (
        <Tabs.Panel key={title} value={title} pt="sm">
          <p className={classes["note"]}>{note}</p>
          <Code block className={classes["code"] ?? ""} tabIndex={0}>
            {text(place)}
          </Code>
          <CopyButton value={text(place)}>
            {({ copied, copy }) => (
              <Button size="compact-sm" variant="default" onClick={copy}>
                {copied ? "Copied" : "Copy"}
              </Button>
            )}
          </CopyButton>
        </Tabs.Panel>
      ))}
    </Tabs>
  );
}

/** Lights up when the first check of today has come. */
function Arrival() {
  const queries = useQueryClient();
  const today = useQuery({ ...read("/telemetry", { date: dayOf(new Date()) }), refetchInterval: 2000, staleTime: 0 });
  const summary = today.data?.summary;
  const isThere = summary !== undefined && summary.total_requests > 0;
  return (
    <div role="status" className={classes["arrival"]} data-there={isThere}>
      <Icon name={isThere ? "good" : "live"} size={22} />
      {isThere ? (
        <>
          <span>
            <strong>It works.</strong> {`${counted(summary.total_requests, "check")} of ${counted(summary.unique_clients, "device")} today.`}
          </span>
          <Button size="compact-sm" onClick={() => void queries.invalidateQueries()}>
            Show the overview
          </Button>
        </>
      ) : (
        <span>Waiting for the first check. This lights up when it comes.</span>
      )}
    </div>
  );
}
