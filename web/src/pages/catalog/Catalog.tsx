import { Halves, Stacked } from "../../parts/Layout";
import { PageHead } from "../../parts/PageHead";
import { Apps } from "./Apps";
import { PART_KINDS } from "./part-kinds";
import { Parts } from "./Parts";

/** What checks are answered from. */
export function Catalog() {
  return (
    <>
      <PageHead
        title="Catalog"
        about="What update checks are answered from: the apps with their releases, and the channels, platforms and architectures that all apps share."
      />
      <Stacked>
        <Apps />
        <Halves>
          {PART_KINDS.map((kind) => (
            <Parts key={kind.noun} kind={kind} />
          ))}
        </Halves>
      </Stacked>
    </>
  );
}
