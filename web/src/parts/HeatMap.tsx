import { Table as Grid, UnstyledButton } from "@mantine/core";
import { type CSSProperties, useState } from "react";

import { whole } from "../view/numbers";
import classes from "./HeatMap.module.css";

/** One row: its name, its total, and a number for each column. */
export interface HeatRow {
  name: string;
  /** How many there are in the row; no sum of its cells where one may be in several. */
  total: number | null;
  /** null where nothing is known. */
  cells: readonly (number | null)[];
}

interface HeatMapProps {
  caption: string;
  /** What the rows are. */
  heading: string;
  columns: readonly string[];
  rows: readonly HeatRow[];
  /** How a cell is shown. */
  shown: (cell: number | null) => string;
  /** How strong the colour of a cell is, from 0 to 1. */
  heat: (cell: number, column: number) => number;
  total?: string;
  onPick?: (name: string) => void;
  /** Rows beyond these are shown on demand. */
  most?: number;
}

/** A table whose cells have the stronger a colour the more is in them: it is read like any table. */
export function HeatMap(props: HeatMapProps) {
  const { caption, heading, columns, rows, shown, heat, total = "Total", onPick, most = 15 } = props;
  const [isWhole, setWhole] = useState(false);
  return (
    <div className={classes["frame"]} tabIndex={0} role="region" aria-label={caption}>
      <Grid className={classes["map"] ?? ""} withRowBorders={false}>
        <caption className="for-readers">{caption}</caption>
        <Grid.Thead>
          <Grid.Tr>
            <Grid.Th scope="col">{heading}</Grid.Th>
            <Grid.Th scope="col">{total}</Grid.Th>
            {columns.map((column) => (
              <Grid.Th key={column} scope="col">
                {column}
              </Grid.Th>
            ))}
          </Grid.Tr>
        </Grid.Thead>
        <Grid.Tbody>
          {rows.slice(0, isWhole ? rows.length : most).map((row) => (
            <Grid.Tr key={row.name}>
              <Grid.Th scope="row">
                {onPick === undefined ? (
                  row.name
                ) : (
                  <UnstyledButton
                    className={classes["pick"]}
                    aria-label={`Filter by ${row.name}`}
                    onClick={() => onPick(row.name)}
                  >
                    {row.name}
                  </UnstyledButton>
                )}
              </Grid.Th>
              <Grid.Td className={classes["total"] ?? ""}>{whole(row.total)}</Grid.Td>
              {columns.map((column, at) => {
                const cell = row.cells[at] ?? null;
                const warmth = cell === null ? 0 : heat(cell, at);
                return (
                  <Grid.Td key={column} className={classes["cell"] ?? ""} style={{ "--heat": warmth } as CSSProperties} data-none={cell === 0}>
                    {shown(cell)}
                  </Grid.Td>
                );
              })}
            </Grid.Tr>
          ))}
        </Grid.Tbody>
      </Grid>
      {rows.length > most && (
        <UnstyledButton className={classes["more"]} onClick={() => setWhole(!isWhole)}>
          {isWhole ? `Show the first ${most}` : `Show all ${rows.length.toLocaleString("en-US")} rows`}
        </UnstyledButton>
      )}
    </div>
  );
}
