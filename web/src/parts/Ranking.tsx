import { UnstyledButton } from "@mantine/core";

import { percent, whole } from "../view/numbers";
import classes from "./Ranking.module.css";

/** A name with its number. */
export interface Rank {
  value: string;
  devices: number;
  /** What part of the whole it is, from 0 to 1. */
  share: number | null;
  /** How long its bar is, from 0 to 1, if not in proportion to the number. */
  width?: number;
  /** What stands behind the number. */
  note?: string;
}

interface RankingProps {
  ranks: readonly Rank[];
  /** What a rank is: `version`. */
  noun: string;
  color: string;
  /** What pressing a bar does. */
  onPick?: (value: string) => void;
  picked?: readonly string[] | undefined;
  most?: number;
}

/** Names with their numbers as bars, in the order given; pressing one filters by it. */
export function Ranking({ ranks, noun, color, onPick, picked = [], most = 10 }: RankingProps) {
  const greatest = Math.max(1, ...ranks.map((rank) => rank.devices));
  const rest = ranks.length - most;
  return (
    <ol className={classes["ranking"]}>
      {ranks.slice(0, most).map((rank) => (
        <li key={rank.value}>
          <UnstyledButton
            className={classes["row"]}
            aria-pressed={picked.includes(rank.value)}
            aria-label={`${rank.value}: ${whole(rank.devices)} devices, ${percent(rank.share)}. Filter by this ${noun}`}
            onClick={() => onPick?.(rank.value)}
          >
            <span className={classes["name"]}>{rank.value}</span>
            <span className={classes["number"]}>
              {whole(rank.devices)}
              {rank.note !== undefined && <span className={classes["note"]}> {rank.note}</span>}
            </span>
            <span className={classes["share"]}>{percent(rank.share)}</span>
            <span className={classes["track"]}>
              <span style={{ width: `${100 * (rank.width ?? rank.devices / greatest)}%`, background: color }} />
            </span>
          </UnstyledButton>
        </li>
      ))}
      {rest > 0 && <li className={classes["rest"]}>{`and ${whole(rest)} more in the table`}</li>}
    </ol>
  );
}
