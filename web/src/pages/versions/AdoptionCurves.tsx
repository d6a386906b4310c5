import type { ReadAnswer } from "../../api/server";
import { Figure } from "../../parts/Figure";
import { Figures, Halves } from "../../parts/Layout";
import { series } from "../../app/palette";
import { shortDay } from "../../view/days";
import { counted, percent, share, UNKNOWN, whole } from "../../view/numbers";
import { AgeChart } from "./AgeChart";

export type AdoptionAnswer = ReadAnswer<"/telemetry/adoption">;
type Release = AdoptionAnswer["releases"][number];

const STEPS = ["t50", "t90", "t95"] as const;
type Step = (typeof STEPS)[number];

/** The curves of one or two releases, aligned on their publication. */
export function AdoptionCurves({ adoption }: { adoption: AdoptionAnswer }) {
  const { releases, definitions } = adoption;
  const [release] = releases;
  return (
    <>
      <Figures>
        {STEPS.map((step) => (
          <Figure
            key={step}
            title={`${step.slice(1)} % had it`}
            definition={definitions[step]}
            value={reached(adoption, release, step)}
            note={note(adoption, step)}
          />
        ))}
        <Held release={release} definition={definitions["held"]} />
      </Figures>
      <Halves>
        <AgeChart
          title="Adoption since publication"
          adoption={adoption}
          curves={releases.map(({ version, days }, at) => ({ title: version, color: series(at), days }))}
        />
        <AgeChart
          title={`Adoption of ${release?.version ?? ""} by platform`}
          adoption={adoption}
          curves={(release?.platforms ?? []).map(({ platform, days }, at) => ({
            title: platform,
            color: series(at),
            days,
          }))}
        />
      </Halves>
    </>
  );
}

/** How long it took; a day that is no longer kept is not known, any other that is missing has not come. */
function reached({ unknown }: AdoptionAnswer, release: Release | undefined, step: Step): string {
  const day = release?.[step];
  if (day != null) return counted(day.age, "day");
  return unknown.some(({ field }) => field === `${release?.version} ${step}`) ? UNKNOWN : "not yet";
}

/** On which day, and how long the other release took. */
function note(adoption: AdoptionAnswer, step: Step): string | undefined {
  const [release, other] = adoption.releases;
  const day = release?.[step];
  const on = day == null ? [] : [`after publication, on ${shortDay(day.date)}`];
  const compared = other === undefined ? [] : [`${other.version}: ${reached(adoption, other, step)}`];
  return [...on, ...compared].join(" · ") || undefined;
}

/** How many are held back by a staged rollout, on the last day that is known. */
function Held({ release, definition }: { release: Release | undefined; definition: string | undefined }) {
  const day = release?.days.findLast((one) => one.held != null);
  return (
    <Figure
      title="Held back by the rollout"
      definition={definition}
      value={day === undefined ? UNKNOWN : whole(day.held)}
      note={day === undefined ? undefined : `${percent(share(day.held, day.devices))} on ${shortDay(day.date)}`}
    />
  );
}
