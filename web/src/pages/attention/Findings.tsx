import { Link } from "@tanstack/react-router";

import type { ReadAnswer } from "../../api/server";
import { Definition } from "../../parts/Definition";
import { Icon } from "../../parts/Icon";
import { Notice } from "../../parts/Notice";
import { Panel } from "../../parts/Panel";
import { longDay } from "../../view/days";
import type { View } from "../../view/view";
import { useView } from "../../view/use-view";
import classes from "./Findings.module.css";

export type AttentionAnswer = ReadAnswer<"/telemetry/attention">;
type Finding = AttentionAnswer["findings"][number];

/** The kinds of findings: what people read, and the page that shows more. */
const KINDS: Record<string, { title: string; page: "/versions" | "/platforms" | "/" }> = {
  "far-behind": { title: "Far behind", page: "/versions" },
  "platform-behind": { title: "Platform behind", page: "/platforms" },
  stuck: { title: "Stuck", page: "/versions" },
  "slow-release": { title: "Slow release", page: "/versions" },
  "fewer-checks": { title: "Fewer checks", page: "/" },
};

interface FindingsProps {
  attention: AttentionAnswer;
  /** How many are shown; all without it. */
  most?: number;
}

/** What needs a look, the weightiest first. */
export function Findings({ attention, most }: FindingsProps) {
  const { findings, tests, to } = attention;
  return (
    <Panel title="What needs a look" units={`On ${longDay(to)} (UTC), the weightiest first`}>
      {findings.length === 0 ? (
        <Notice title="Nothing needs a look" icon="good">
          No version is far behind, no platform lags, no device is stuck, and checks come as they did.
        </Notice>
      ) : (
        <ol className={classes["findings"]}>
          {findings.slice(0, most).map((finding) => (
            <One
              key={`${finding.kind} ${finding.app} ${finding.subject} ${finding.filters.channels?.join(" ") ?? ""}`}
              finding={finding}
              test={tests[finding.kind]}
            />
          ))}
        </ol>
      )}
      {most !== undefined && findings.length > most && (
        <Link to="/attention" search={(view) => view}>{`All ${findings.length} findings`}</Link>
      )}
    </Panel>
  );
}

function One({ finding, test }: { finding: Finding; test: string | undefined }) {
  const { view } = useView();
  const { title, page } = KINDS[finding.kind] ?? { title: finding.kind, page: "/" as const };
  return (
    <li className={classes["finding"]}>
      <Icon name="attention" />
      <div>
        <p className={classes["kind"]}>
          <strong>{title}</strong>
          {test !== undefined && <Definition of={`${title}, the rule`}>{test}</Definition>}
          <span>{`${finding.app} · ${finding.subject}`}</span>
        </p>
        <p className={classes["sentence"]}>{finding.sentence}</p>
        <Link to={page} search={filteredBy(view, finding)}>
          Look at it
        </Link>
      </div>
    </li>
  );
}

/** The view with the filters that show the finding, and no others. */
function filteredBy(view: View, { filters }: Finding): View {
  const { range, from, to, compare } = view;
  const days: View = {
    ...(range === undefined ? {} : { range }),
    ...(from === undefined || to === undefined ? {} : { from, to }),
    ...(compare === undefined ? {} : { compare }),
  };
  const set = Object.entries(filters).filter(([, values]) => values !== undefined && values.length > 0);
  return { ...days, ...Object.fromEntries(set) };
}
