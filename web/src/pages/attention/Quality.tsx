import type { ReadAnswer } from "../../api/server";
import { Chart } from "../../parts/Chart";
import { Figure } from "../../parts/Figure";
import { Figures, Halves } from "../../parts/Layout";
import { type Column, Table } from "../../parts/Table";
import { counted, percent, share, whole } from "../../view/numbers";
import { newestFirst } from "../../view/versions";

type QualityAnswer = ReadAnswer<"/telemetry/quality">;

/** How good the numbers are: what was not counted, and what is counted wrongly. */
export function Quality({ quality }: { quality: QualityAnswer }) {
  const { checks, definitions } = quality;
  const refused = checks.refused.reduce((sum, row) => sum + row.checks, 0);
  const all = checks.counted + checks.without_device + refused;
  return (
    <>
      <Figures>
        <Figure
          title="Counted checks"
          definition={definitions["counted"]}
          value={percent(share(checks.counted, all))}
          note={`${whole(checks.counted)} of ${whole(all)}`}
        />
        <Figure
          title="Without a device id"
          definition={definitions["without_device"]}
          value={percent(share(checks.without_device, all))}
          note={counted(checks.without_device, "check")}
        />
        <Figure
          title="Not counted otherwise"
          definition={definitions["refused"]}
          value={percent(share(refused, all))}
          note={counted(refused, "check")}
        />
      </Figures>
      <Halves>
        <Part
          title="Unserved demand"
          definition={definitions["unserved"]}
          units="Checks that asked for what no release offers (UTC days)"
          file="unserved-demand"
          empty="Every check asked for something that a release offers."
          rows={quality.unserved}
          columns={[
            { title: "Asked for", value: (row) => row.value },
            { title: "Kind", value: (row) => row.kind },
            { title: "App", value: (row) => row.app },
            { title: "Checks", value: (row) => row.checks, isNumber: true },
          ]}
        />
        <Part
          title="Versions that the catalog does not know"
          definition={definitions["unknown_versions"]}
          units="Distinct devices in the range (UTC days)"
          file="unknown-versions"
          empty="The catalog knows every version in use."
          rows={quality.unknown_versions}
          columns={[
            { title: "Version", value: (row) => row.version, compare: (a, b) => newestFirst(a.version, b.version) },
            { title: "App", value: (row) => row.app },
            { title: "Devices", value: (row) => row.devices, isNumber: true },
          ]}
        />
        <Part
          title="Checks that were not counted"
          definition={definitions["refused"]}
          units="Checks by the reason that their replies gave"
          file="refused-checks"
          empty="Nothing was refused."
          rows={checks.refused}
          columns={[
            { title: "Reason", value: (row) => row.reason },
            { title: "Checks", value: (row) => row.checks, isNumber: true },
          ]}
        />
        <Part
          title="Ids that look personal"
          definition={definitions["ids"]}
          units="Checks whose id says who or where a device is"
          file="personal-ids"
          empty="No id looks like an address, a name or a number of hardware."
          rows={quality.ids}
          columns={[
            { title: "Form", value: (row) => row.kind },
            { title: "App", value: (row) => row.app },
            { title: "Checks", value: (row) => row.checks, isNumber: true },
          ]}
        />
        <Part
          title="Ids that devices share"
          definition={definitions["shared"]}
          units="Ids that were seen with several platforms or architectures on one day"
          file="shared-ids"
          empty="No id was seen on more than one kind of device."
          rows={quality.shared}
          columns={[
            { title: "App", value: (row) => row.app },
            { title: "Seen by", value: (row) => row.by },
            { title: "Ids", value: (row) => row.devices, isNumber: true },
            { title: "Values at most", value: (row) => row.most, isNumber: true },
          ]}
        />
      </Halves>
    </>
  );
}

interface PartProps<Row> {
  title: string;
  definition: string | undefined;
  units: string;
  file: string;
  empty: string;
  rows: readonly Row[];
  columns: readonly Column<Row>[];
}

/** One list, which is a table to begin with. */
function Part<Row>(props: PartProps<Row>) {
  const identity = (row: Row) => props.columns.map((column) => String(column.value(row))).join(" ");
  return (
    <Chart {...props} isTable identity={identity} isEmptyGood>
      <Table caption={props.title} columns={props.columns} rows={props.rows} identity={identity} most={10} />
    </Chart>
  );
}
