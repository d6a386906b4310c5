import { Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { read } from "../../api/queries";
import { Answer } from "../../parts/Answer";
import { Notice } from "../../parts/Notice";
import { Panel } from "../../parts/Panel";
import { useAnswer } from "../../view/use-answer";
import { useView } from "../../view/use-view";
import { newestFirst } from "../../view/versions";
import classes from "./Adoption.module.css";
import { AdoptionCurves } from "./AdoptionCurves";

const TITLE = "Adoption of a release";

/** How fast a release arrived, and how fast the one before it did. */
export function Adoption() {
  const { view } = useView();
  const app = view.apps?.length === 1 ? view.apps[0] : undefined;
  const channel = view.channels?.length === 1 ? view.channels[0] : undefined;
  const listed = useQuery({
    ...read("/release/list", { app_name: app ?? "", limit: "200", ...(channel === undefined ? {} : { channel }) }),
    enabled: app !== undefined,
  });
  if (app === undefined) {
    return (
      <Panel title={TITLE}>
        <Notice title="Choose one app" icon="versions">
          How fast a release arrives is told of one app. Choose it above.
        </Notice>
      </Panel>
    );
  }
  return (
    <Answer query={listed} height={360}>
      {({ items }) => {
        const published = items.filter((release) => release.published_at != null);
        const versions = [...new Set(published.map((release) => release.version))].toSorted(newestFirst);
        return <Choice key={`${app} ${channel}`} app={app} channel={channel} versions={versions} />;
      }}
    </Answer>
  );
}

interface ChoiceProps {
  app: string;
  channel: string | undefined;
  /** The published versions, the newest first. */
  versions: string[];
}

function Choice({ app, channel, versions }: ChoiceProps) {
  // The newest that is no prerelease, else the newest.
  const first = versions.find((version) => !version.includes("-")) ?? versions[0];
  const [version, setVersion] = useState(first);
  const [compared, setCompared] = useState(before(versions, first));
  if (version === undefined) {
    return (
      <Panel title={TITLE}>
        <Notice title="Nothing is published yet" icon="catalog">
          {`Publish a release of ${app}, and this shows how it arrives.`}
        </Notice>
      </Panel>
    );
  }
  const choose = (chosen: string | null) => {
    setVersion(chosen ?? version);
    setCompared(before(versions, chosen ?? version));
  };
  return (
    <>
      <div className={classes["choice"]}>
        <Select label="Release" data={versions} value={version} allowDeselect={false} searchable onChange={choose} />
        <Select
          label="Compared with"
          placeholder="Nothing"
          data={versions.filter((one) => one !== version)}
          value={compared ?? null}
          clearable
          searchable
          onChange={(chosen) => setCompared(chosen ?? undefined)}
        />
      </div>
      <Curves app={app} version={version} channel={channel} compared={compared} />
    </>
  );
}

/** The release before that one, of the same kind. */
function before(versions: readonly string[], version: string | undefined): string | undefined {
  const at = version === undefined ? -1 : versions.indexOf(version);
  const isPrerelease = version?.includes("-") === true;
  return at < 0 ? undefined : versions.slice(at + 1).find((one) => one.includes("-") === isPrerelease);
}

interface CurvesProps {
  app: string;
  version: string;
  channel: string | undefined;
  compared: string | undefined;
}

function Curves({ app, version, channel, compared }: CurvesProps) {
  const answer = useAnswer("/telemetry/adoption", {
    app,
    version,
    ...(channel === undefined ? {} : { channel }),
    ...(compared === undefined ? {} : { compare: compared }),
  });
  return (
    <Answer query={answer} height={360}>
      {(adoption) => <AdoptionCurves adoption={adoption} />}
    </Answer>
  );
}
