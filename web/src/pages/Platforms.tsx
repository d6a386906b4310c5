import { series } from "../app/palette";
import { BreakdownChart } from "../parts/BreakdownChart";
import { DistributionChart } from "../parts/DistributionChart";
import { Halves, Stacked } from "../parts/Layout";
import { MatrixChart } from "../parts/MatrixChart";
import { ViewBar } from "../view/ViewBar";
import { UpdateRate } from "./platforms/UpdateRate";

/** Which platforms and architectures to support, and which one has a problem. */
export function Platforms() {
  return (
    <>
      <ViewBar title="Platforms" />
      <Stacked>
        <Halves>
          <BreakdownChart by="platform" color={series(2)} />
          <UpdateRate />
        </Halves>
        <MatrixChart rows="version" columns="platform" />
        <Halves>
          <DistributionChart by="platform" />
          <BreakdownChart by="arch" color={series(4)} />
        </Halves>
      </Stacked>
    </>
  );
}
