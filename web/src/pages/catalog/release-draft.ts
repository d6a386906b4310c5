import type { Wire } from "../../api/client";
import { body, server } from "../../api/server";
import type { ReadPath } from "../../api/server";
import { field } from "../../parts/use-submit";

/** What is read again when a release has changed. */
export const RELEASES_CHANGE = ["/release/list"] as const satisfies readonly ReadPath[];

/** One file of a release while it is written. */
export interface FileDraft {
  /** Tells the rows of the form apart. */
  row: number;
  platform: string;
  arch: string;
  package: string;
  link: string;
  /** What the form does not show, and keeps. */
  kept: Partial<Wire["Artifact"]>;
}

/** The files of a release as the form shows them; one empty row where there is none. */
export function draftsOf(artifacts: readonly Wire["Artifact"][]): FileDraft[] {
  return artifacts.map((artifact, row) => ({
    row,
    platform: artifact.platform ?? "",
    arch: artifact.arch ?? "",
    package: artifact.package ?? "",
    link: artifact.link,
    kept: artifact,
  }));
}

/** The files as the server takes them. */
export function artifactsOf(drafts: readonly FileDraft[]): Wire["Artifact"][] {
  return drafts.map(({ platform, arch, package: ending, link, kept }) => ({
    ...kept,
    platform: platform === "" ? null : platform,
    arch: arch === "" ? null : arch,
    package: ending,
    link,
  }));
}

/** Writes what the form has: a new release, or changes to an old one. */
export async function write(app: string, old: Wire["ReleaseRow"] | undefined, form: FormData, files: readonly FileDraft[]) {
  const fields = {
    publish: field(form, "publish") === "on",
    critical: field(form, "critical") === "on",
    intermediate: field(form, "intermediate") === "on",
    rollout: Number(field(form, "rollout").replace("%", "")),
    changelog: field(form, "changelog"),
    artifacts: artifactsOf(files),
  };
  if (old !== undefined) return body(server.POST("/release/update", { body: { id: old.id, ...fields } }));
  const channel = field(form, "channel");
  const named = { app_name: app, version: field(form, "version"), ...(channel === "" ? {} : { channel }) };
  return body(server.POST("/release/create", { body: { ...named, ...fields } }));
}
