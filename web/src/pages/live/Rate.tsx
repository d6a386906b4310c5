import { useElementSize } from "@mantine/hooks";

import { linePath, ticks } from "../../parts/scale";
import { series } from "../../app/palette";

const HEIGHT = 96;
const SECONDS = 120;

/** Checks a second over the last two minutes; the figure above says the number. */
export function Rate({ rates }: { rates: readonly number[] }) {
  const { ref, width } = useElementSize();
  const most = ticks(Math.max(...rates, 0)).at(-1) ?? 1;
  const x = (at: number) => width - 4 - ((rates.length - 1 - at) / SECONDS) * (width - 8);
  const y = (rate: number) => HEIGHT - 4 - (rate / most) * (HEIGHT - 8);
  const last = rates.at(-1);
  return (
    <div ref={ref}>
      <svg width={width} height={HEIGHT} aria-hidden="true">
        <line x1={0} x2={width} y1={HEIGHT - 4} y2={HEIGHT - 4} stroke="var(--line)" />
        <path d={linePath(rates.map((rate, at) => [x(at), y(rate)]))} fill="none" stroke={series(0)} strokeWidth={2} />
        {last !== undefined && <circle cx={x(rates.length - 1)} cy={y(last)} r={4} fill={series(0)} />}
      </svg>
    </div>
  );
}
