import { Link } from "@tanstack/react-router";

import { Notice } from "../parts/Notice";

/** An address of the dashboard that no page has. */
export function NoSuchPage() {
  return (
    <Notice title="There is no page at this address" icon="unknown">
      <Link to="/">Go to the overview</Link>
    </Notice>
  );
}
