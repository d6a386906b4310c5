import { Badge, Button, Pagination, Select } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";

import type { Wire } from "../../api/client";
import { read } from "../../api/queries";
import { body, server } from "../../api/server";
import { useWrite } from "../../api/write";
import { useMay } from "../../app/rights";
import { Answer } from "../../parts/Answer";
import { Confirmed } from "../../parts/Confirmed";
import { PageHead } from "../../parts/PageHead";
import { Panel } from "../../parts/Panel";
import { RowActions } from "../../parts/RowActions";
import { Table } from "../../parts/Table";
import { compareVersions } from "../../view/versions";
import { ReleaseForm } from "./ReleaseForm";
import { RELEASES_CHANGE } from "./release-draft";
import classes from "./Releases.module.css";

type Release = Wire["ReleaseRow"];

const A_PAGE = 50;

/** The releases of one app. */
export function Releases() {
  const { app } = useParams({ from: "/shell/catalog/$app" });
  const may = useMay();
  const channels = useQuery(read("/channel/list"));
  const [channel, setChannel] = useState<string | null>(null);
  const [page, setPage] = useState(1);
  const [form, setForm] = useState<Release | "new">();
  const asked = { app_name: app, page: String(page), limit: String(A_PAGE), ...(channel === null ? {} : { channel }) };
  const answer = useQuery({ ...read("/release/list", asked), placeholderData: keepPreviousData });
  return (
    <>
      <PageHead title={app} about={<Link to="/catalog">All apps</Link>}>
        {(channels.data?.channels ?? []).length > 0 && (
          <Select
            aria-label="Channel"
            placeholder="All channels"
            data={(channels.data?.channels ?? []).map((one) => one.ChannelName)}
            value={channel}
            onChange={(value) => {
              setChannel(value);
              setPage(1);
            }}
            clearable
          />
        )}
        {may("Apps", "Upload") && <Button onClick={() => setForm("new")}>New release</Button>}
      </PageHead>
      <Answer query={answer} height={240}>
        {({ items, total, limit }) => (
          <Panel title="Releases" units="The newest version first; days are UTC">
            <Table
              caption={`Releases of ${app}`}
              rows={items}
              identity={(release) => release.id}
              empty="There is no release yet. Create the first one: checks below it are told about it as soon as it is published."
              columns={[
                { title: "Version", value: (one) => one.version, compare: (one, other) => compareVersions(one.version, other.version) },
                { title: "Channel", value: (one) => one.channel },
                { title: "State", value: state, shown: (one) => <State release={one} /> },
                { title: "Rollout", value: (one) => one.rollout, shown: (one) => `${one.rollout}%`, isNumber: true },
                { title: "Files", value: (one) => one.artifacts.length, isNumber: true },
                { title: "Published", value: (one) => one.published_at?.slice(0, 10) ?? null },
                { title: "Actions", value: () => null, shown: (one) => <Actions release={one} onEdit={() => setForm(one)} />, isPlain: true },
              ]}
            />
            {total > limit && (
              <Pagination
                total={Math.ceil(total / limit)}
                value={page}
                onChange={setPage}
                getControlProps={(control) => ({ "aria-label": `The ${control} page` })}
              />
            )}
          </Panel>
        )}
      </Answer>
      <ReleaseForm app={app} release={form} onClose={() => setForm(undefined)} />
    </>
  );
}

function state(release: Release): string {
  return release.publish ? "published" : "draft";
}

function State({ release }: { release: Release }) {
  return (
    <div className={classes["state"]}>
      <Badge variant="default" c={release.publish ? "var(--good)" : "var(--quiet)"}>
        {state(release)}
      </Badge>
      {release.critical && (
        <Badge variant="default" c="var(--bad)">
          critical
        </Badge>
      )}
      {release.intermediate && <Badge variant="default">intermediate</Badge>}
    </div>
  );
}

function Actions({ release, onEdit }: { release: Release; onEdit: () => void }) {
  const may = useMay();
  const named = `${release.version}${release.channel === "" ? "" : ` (${release.channel})`}`;
  const publish = useWrite(
    () => body(server.POST("/release/update", { body: { id: release.id, publish: !release.publish } })),
    ...RELEASES_CHANGE,
  );
  const remove = useWrite(
    () => body(server.DELETE("/release/delete", { params: { query: { id: release.id } } })),
    ...RELEASES_CHANGE,
  );
  return (
    <RowActions>
      {may("Apps", "Edit") && (
        <>
          <Button
            variant="subtle"
            size="compact-sm"
            loading={publish.isPending}
            aria-label={`${release.publish ? "Withdraw" : "Publish"} ${named}`}
            onClick={() => publish.mutate()}
          >
            {release.publish ? "Withdraw" : "Publish"}
          </Button>
          <Button variant="subtle" size="compact-sm" aria-label={`Edit ${named}`} onClick={onEdit}>
            Edit
          </Button>
        </>
      )}
      {may("Apps", "Delete") && (
        <Confirmed label="Delete" title={`Delete ${named}`} onConfirm={() => remove.mutateAsync()}>
          <p>Checks are answered with the next lower release from then on. What was counted for this version stays.</p>
        </Confirmed>
      )}
    </RowActions>
  );
}
