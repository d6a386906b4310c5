import { Table as Grid, UnstyledButton } from "@mantine/core";
import { type ReactNode, useState } from "react";

import { type Cell } from "../view/csv";
import { Icon } from "./Icon";
import classes from "./Table.module.css";

/** One column: its heading, and what a row has in it. */
export interface Column<Row> {
  title: string;
  /** What the cell holds, in CSV too. */
  value: (row: Row) => Cell;
  /** How it is shown, if not as its value. */
  shown?: (row: Row) => ReactNode;
  /** How rows are ordered by it; without it numbers by size and texts as texts. */
  compare?: (left: Row, right: Row) => number;
  isNumber?: boolean;
  /** Whether there is nothing to order rows by. */
  isPlain?: boolean;
}

interface TableProps<Row> {
  /** What the table has, for readers. */
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  /** Tells the rows apart. */
  identity: (row: Row) => string;
  /** What pressing the first cell of a row does, with the words that say it. */
  onPick?: { label: (row: Row) => string; pick: (row: Row) => void; isPicked?: (row: Row) => boolean };
  /** Rows beyond these are shown on demand. */
  most?: number;
  /** What stands in place of rows where there is none. */
  empty?: string;
}

interface Order {
  column: number;
  isDescending: boolean;
}

/** The one table: sorted by its headings, its first cells may be pressed, and it scrolls within itself where it is narrow. */
export function Table<Row>({ caption, columns, rows, identity, onPick, most = 50, empty }: TableProps<Row>) {
  const [order, setOrder] = useState<Order>();
  const [isWhole, setWhole] = useState(false);
  const sorted = inOrder(rows, columns, order);
  const shown = isWhole ? sorted : sorted.slice(0, most);
  if (rows.length === 0 && empty !== undefined) return <p className={classes["empty"]}>{empty}</p>;
  return (
    <div className={classes["frame"]} tabIndex={0} role="region" aria-label={caption}>
      <Grid className={classes["table"] ?? ""} verticalSpacing={6}>
        <caption className="for-readers">{caption}</caption>
        <Grid.Thead>
          <Grid.Tr>
            {columns.map((column, at) => (
              <Heading key={column.title} column={column} at={at} order={order} onOrder={setOrder} />
            ))}
          </Grid.Tr>
        </Grid.Thead>
        <Grid.Tbody>
          {shown.map((row) => (
            <Grid.Tr key={identity(row)} data-picked={onPick?.isPicked?.(row) ?? false}>
              {columns.map((column, at) => (
                <Grid.Td key={column.title} data-number={column.isNumber}>
                  {at === 0 && onPick !== undefined ? (
                    <UnstyledButton
                      className={classes["pick"]}
                      aria-label={onPick.label(row)}
                      aria-pressed={onPick.isPicked?.(row)}
                      onClick={() => onPick.pick(row)}
                    >
                      {content(column, row)}
                    </UnstyledButton>
                  ) : (
                    content(column, row)
                  )}
                </Grid.Td>
              ))}
            </Grid.Tr>
          ))}
        </Grid.Tbody>
      </Grid>
      {sorted.length > most && (
        <UnstyledButton className={classes["more"]} onClick={() => setWhole(!isWhole)}>
          {isWhole ? `Show the first ${most}` : `Show all ${sorted.length.toLocaleString("en-US")} rows`}
        </UnstyledButton>
      )}
    </div>
  );
}

function content<Row>(column: Column<Row>, row: Row): ReactNode {
  if (column.shown !== undefined) return column.shown(row);
  const value = column.value(row);
  return typeof value === "number" ? value.toLocaleString("en-US") : (value ?? "–");
}

function inOrder<Row>(rows: readonly Row[], columns: readonly Column<Row>[], order: Order | undefined): readonly Row[] {
  const column = order === undefined ? undefined : columns[order.column];
  if (order === undefined || column === undefined) return rows;
  const compare = column.compare ?? ((left: Row, right: Row) => compareCells(column.value(left), column.value(right)));
  return rows.toSorted((left, right) => (order.isDescending ? compare(right, left) : compare(left, right)));
}

/** What is not known is the least. */
function compareCells(left: Cell, right: Cell): number {
  if (left === null || right === null) return Number(left !== null) - Number(right !== null);
  if (typeof left === "number" && typeof right === "number") return left - right;
  return String(left).localeCompare(String(right), "en");
}

interface HeadingProps<Row> {
  column: Column<Row>;
  at: number;
  order: Order | undefined;
  onOrder: (order: Order) => void;
}

function Heading<Row>({ column, at, order, onOrder }: HeadingProps<Row>) {
  if (column.isPlain === true) {
    return (
      <Grid.Th>
        <span className="for-readers">{column.title}</span>
      </Grid.Th>
    );
  }
  const isOrder = order?.column === at;
  // Numbers begin with the greatest.
  const isDescending = isOrder ? !order.isDescending : column.isNumber === true;
  const sort = isOrder ? (order.isDescending ? "descending" : "ascending") : "none";
  return (
    <Grid.Th aria-sort={sort} data-number={column.isNumber}>
      <UnstyledButton className={classes["heading"]} onClick={() => onOrder({ column: at, isDescending })}>
        {column.title}
        {isOrder && <Icon name={order.isDescending ? "down" : "up"} size={12} />}
      </UnstyledButton>
    </Grid.Th>
  );
}
