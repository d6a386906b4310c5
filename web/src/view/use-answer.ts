import { keepPreviousData, useQuery } from "@tanstack/react-query";

import { read } from "../api/queries";
import type { ReadPath, ReadQuery } from "../api/server";
import { useView } from "./use-view";

/** Asks the API about what the view shows; while another view is on its way, the last answer stays. */
export function useAnswer<P extends ReadPath>(path: P, own?: Partial<ReadQuery<P>>) {
  const { question } = useView();
  const query = { ...question, ...own } as unknown as ReadQuery<P>;
  return useQuery({ ...read(path, query), placeholderData: keepPreviousData });
}
