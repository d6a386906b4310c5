import { Skeleton } from "@mantine/core";

/** Stands where something will be. */
export function Waiting({ height = 240 }: { height?: number }) {
  return (
    <div role="status">
      <span className="for-readers">Loading</span>
      <Skeleton height={height} />
    </div>
  );
}
