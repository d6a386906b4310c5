import { useMutation } from "@tanstack/react-query";

import { queries } from "./queries";
import type { ReadPath } from "./server";

/** Reads these paths again wherever they are shown. */
export async function changed(...paths: ReadPath[]): Promise<void> {
  await Promise.all(paths.map((path) => queries.invalidateQueries({ queryKey: [path] })));
}

/** A write which changes what these paths tell. */
export function useWrite<Argument = void>(write: (argument: Argument) => Promise<unknown>, ...changes: ReadPath[]) {
  return useMutation({ mutationFn: write, onSuccess: () => changed(...changes) });
}
