import { Figure } from "../../parts/Figure";
import { Figures } from "../../parts/Layout";
import type { Trend } from "../../parts/TrendChart";
import { dayOf, length, shortDay } from "../../view/days";
import { change, percent, share, UNKNOWN, whole } from "../../view/numbers";
import { lastWhole } from "../../view/use-last-day";

/** The numbers that one looks for first. */
export function Headline({ trend }: { trend: Trend }) {
  const { summary, previous, definitions } = trend;
  const days = length(trend.from, trend.to);
  const against = days === 1 ? "against the day before" : `against the ${days} days before`;
  const day = lastWhole(trend.days);
  const today = dayOf(new Date());
  const of = day === undefined ? "" : day.date === today ? " so far today" : ` on ${shortDay(day.date)}`;
  return (
    <Figures>
      <Figure
        title="Active devices"
        definition={definitions["devices"]}
        value={whole(summary.devices)}
        {...changed(summary.devices, previous.summary.devices, against)}
      />
      <Figure
        title="On the latest release"
        definition={definitions["latest"]}
        value={percent(share(day?.latest, day?.devices))}
        note={`${whole(day?.latest)} of ${whole(day?.devices)}${of}`}
      />
      <Figure
        title="Outdated"
        definition={definitions["outdated"]}
        value={percent(share(day?.outdated, day?.devices))}
        note={`${whole(day?.outdated)} devices${of}`}
      />
      <Figure
        title="Weekly active"
        definition={definitions["wau"]}
        value={whole(day?.wau)}
        note={day === undefined ? undefined : `7 days up to ${shortDay(day.date)}`}
      />
      <Figure
        title="Monthly active"
        definition={definitions["mau"]}
        value={whole(day?.mau)}
        note={day === undefined ? undefined : `28 days up to ${shortDay(day.date)}`}
      />
      <Figure
        title="Checks"
        definition={definitions["requests"]}
        value={whole(summary.requests)}
        {...changed(summary.requests, previous.summary.requests, against)}
      />
    </Figures>
  );
}

/** How a number changed, or that this is not known. */
function changed(now: number | null | undefined, before: number | null | undefined, against: string) {
  const by = change(now, before);
  return by === UNKNOWN ? { note: "the period before is not known" } : { change: { by, against } };
}
