import { Button } from "@mantine/core";

import { Refused } from "../api/refused";
import { Notice } from "./Notice";

/** What could not be shown, why, and what to do about it. */
export function Failed({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const { title, advice } = explained(error);
  return (
    <div role="alert">
      <Notice title={title} icon="failed">
        <p>{advice}</p>
        <Button variant="default" onClick={onRetry}>
          Try again
        </Button>
      </Notice>
    </div>
  );
}

function explained(error: unknown): { title: string; advice: string } {
  if (!(error instanceof Refused)) {
    return { title: "This page failed", advice: "Try again; if it stays so, load the page anew." };
  }
  if (error.isTelemetryOff) {
    return {
      title: "This server counts nothing",
      advice:
        "Telemetry is off: checks are answered, and nothing is stored of them. Set ENABLE_TELEMETRY=true where the server has its settings from, and start it again.",
    };
  }
  switch (error.status) {
    case 0:
      return { title: "The server cannot be reached", advice: "Look whether it runs and whether you are online." };
    case 403:
      return { title: "You may not see this", advice: `${error.message}. Ask an administrator, or take a filter away.` };
    case 429:
      return { title: "Too many questions at once", advice: "Wait a few seconds." };
    case 503:
      return { title: "The server cannot answer now", advice: error.message };
    default:
      return { title: "The server refused", advice: error.explained };
  }
}
