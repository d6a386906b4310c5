import { series } from "../app/palette";
import { BreakdownChart } from "../parts/BreakdownChart";
import { DistributionChart } from "../parts/DistributionChart";
import { Halves, Stacked } from "../parts/Layout";
import { useReleaseMarks } from "../view/releases";
import { ViewBar } from "../view/ViewBar";
import { Adoption } from "./versions/Adoption";
import { Outdated } from "./versions/Outdated";
import { Upgrades } from "./versions/Upgrades";

/** Which versions are in use, and how releases arrive. */
export function Versions() {
  const marks = useReleaseMarks();
  return (
    <>
      <ViewBar title="Versions" />
      <Stacked>
        <DistributionChart by="version" marks={marks} />
        <Halves>
          <BreakdownChart by="version" color={series(0)} most={12} />
          <Outdated />
        </Halves>
        <Adoption />
        <Upgrades />
        <Halves>
          <DistributionChart by="status" />
          <BreakdownChart by="channel" color={series(4)} />
        </Halves>
      </Stacked>
    </>
  );
}
