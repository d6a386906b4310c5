import type { Refusal } from "./client";

/** A request that the server refused or could not answer; the message is for people. */
export class Refused extends Error {
  constructor(
    /** The HTTP status; 0 where no answer came. */
    readonly status: number,
    /** The kind of failure, as the server names it. */
    readonly code: string,
    message: string,
    /** The field or parameter that is not acceptable. */
    readonly field?: string,
    /** What it accepts instead. */
    readonly accepted?: string,
  ) {
    super(message);
    this.name = "Refused";
  }

  /** What the server said. */
  static of(response: Response, refusal: Refusal | undefined): Refused {
    if (refusal?.error === undefined) {
      return new Refused(response.status, "unknown", `The server answered ${response.status} without a reason.`);
    }
    const { error, code, field, accepted } = refusal;
    return new Refused(response.status, code, error, field ?? undefined, accepted ?? undefined);
  }

  /** No answer came. */
  static unreachable(): Refused {
    return new Refused(0, "unreachable", "The server did not answer.");
  }

  /** The server counts nothing, so there is nothing to ask it. */
  get isTelemetryOff(): boolean {
    return this.code === "telemetry_off";
  }

  /** The message, and what would be accepted instead. */
  get explained(): string {
    return this.accepted === undefined ? this.message : `${this.message}. Accepted: ${this.accepted}`;
  }
}
