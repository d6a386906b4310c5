import { useCaller } from "../../app/rights";
import { Stacked } from "../../parts/Layout";
import { PageHead } from "../../parts/PageHead";
import { Panel } from "../../parts/Panel";
import { Sessions, SignOutEverywhere } from "../people/Sessions";
import { Account } from "./Account";
import { Counting } from "./Counting";
import { CountedApps } from "./CountedApps";
import { OneDevice } from "./OneDevice";

/** What the signed-in user settles: which devices are counted and for how long, and the own account. */
export function Settings() {
  const caller = useCaller();
  return (
    <>
      <PageHead title="Settings" about="Changes hold within a second, on all servers of this installation." />
      <Stacked>
        {caller.is_admin && (
          <>
            <Counting />
            <CountedApps />
            <OneDevice />
          </>
        )}
        <Account />
        <Panel title="Your sessions" units="Where you are signed in" actions={<SignOutEverywhere />}>
          <Sessions />
        </Panel>
      </Stacked>
    </>
  );
}
