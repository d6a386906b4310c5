import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { Failed } from "./Failed";
import classes from "./Answer.module.css";
import { Waiting } from "./Waiting";

interface AnswerProps<T> {
  query: UseQueryResult<T>;
  /** The height of what will be shown, in pixels. */
  height?: number;
  children: (answer: T) => ReactNode;
}

/** What was asked for: while it is on its way, when it failed, and when it is there. */
export function Answer<T>({ query, height, children }: AnswerProps<T>) {
  if (query.data === undefined) {
    return query.isError ? (
      <Failed error={query.error} onRetry={() => void query.refetch()} />
    ) : (
      <Waiting {...(height === undefined ? {} : { height })} />
    );
  }
  return (
    <div className={classes["answer"]} data-stale={query.isPlaceholderData} aria-busy={query.isFetching}>
      {children(query.data)}
    </div>
  );
}
