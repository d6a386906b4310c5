import { Stacked } from "../../parts/Layout";
import { Notice } from "../../parts/Notice";
import { PageHead } from "../../parts/PageHead";
import { useCaller } from "../../app/rights";
import { AuditLog } from "./AuditLog";
import { Team } from "./Team";
import { Tokens } from "./Tokens";

/** Who may see and do what. */
export function People() {
  const caller = useCaller();
  return (
    <>
      <PageHead title="People" about="Who sees these numbers and works with the catalog, and what programs may do." />
      <Stacked>
        {caller.is_admin ? (
          <>
            <Team />
            <Tokens />
            <AuditLog />
          </>
        ) : (
          <Notice title="Only the administrator sees this" icon="people">
            <p>Ask {caller.owner ?? "the administrator"} when you need to see or do more.</p>
          </Notice>
        )}
      </Stacked>
    </>
  );
}
