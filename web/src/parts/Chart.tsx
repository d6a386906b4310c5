import { ActionIcon } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { ReactNode } from "react";

import { csv, download } from "../view/csv";
import { Icon } from "./Icon";
import { Incomplete } from "./Incomplete";
import { Notice } from "./Notice";
import { Panel } from "./Panel";
import { type Column, Table } from "./Table";

interface ChartProps<Row> {
  /** What is counted. */
  title: string;
  /** What its numbers mean. */
  definition: string | undefined;
  /** The units, and that days are UTC where there are days. */
  units: string;
  /** The same numbers as a table, and as CSV. */
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  identity: (row: Row) => string;
  /** The name of the CSV file, without its ending. */
  file: string;
  /** The days among those shown that lack something. */
  incomplete?: readonly string[];
  /** What to do where there is nothing to show. */
  empty?: string;
  /** Whether it is a table already. */
  isTable?: boolean;
  /** Whether it is good that there is nothing to show. */
  isEmptyGood?: boolean;
  children: ReactNode;
}

/** The one frame of charts: title, definition, units, the same as a table, and as CSV. */
export function Chart<Row>(props: ChartProps<Row>) {
  const { title, definition, units, columns, rows, identity, file, empty, isEmptyGood = false, children } = props;
  const [isTurned, { toggle }] = useDisclosure(false);
  const isEmpty = rows.length === 0;
  const save = () => {
    const cells = rows.map((row) => columns.map((column) => column.value(row)));
    download(`${file}.csv`, csv(columns.map((column) => column.title), cells));
  };
  const actions = (
    <>
      {props.isTable !== true && (
        <Action
          icon={isTurned ? "chart" : "table"}
          label={`Show as ${isTurned ? "chart" : "table"}: ${title}`}
          onClick={toggle}
        />
      )}
      <Action icon="download" label={`Download as CSV: ${title}`} onClick={save} />
    </>
  );
  return (
    <Panel title={title} definition={definition} units={units} actions={isEmpty ? undefined : actions}>
      <Incomplete days={props.incomplete ?? []} />
      {isEmpty ? (
        <Notice title={isEmptyGood ? "There is none" : "Nothing was counted here"} icon={isEmptyGood ? "good" : "empty"}>
          {empty ?? "Choose a longer range, or take filters away."}
        </Notice>
      ) : isTurned ? (
        <Table caption={title} columns={columns} rows={rows} identity={identity} />
      ) : (
        children
      )}
    </Panel>
  );
}

function Action({ icon, label, onClick }: { icon: "chart" | "table" | "download"; label: string; onClick: () => void }) {
  return (
    <ActionIcon variant="subtle" color="gray" size={32} aria-label={label} title={label} onClick={onClick}>
      <Icon name={icon} />
    </ActionIcon>
  );
}
