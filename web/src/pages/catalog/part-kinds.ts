import { body, server } from "../../api/server";
import type { Wire } from "../../api/client";
import type { Kind } from "../../app/rights";

/** One channel, platform or architecture. */
export interface Part {
  id: string;
  name: string;
  /** How updates are delivered; only platforms have some. */
  updaters?: Wire["Updater"][];
}

/** What one kind of them is called, and how it is read and written. */
export interface PartKind {
  kind: Kind;
  /** The field of its name. */
  noun: "channel" | "platform" | "arch";
  one: string;
  title: string;
  about: string;
  list: "/channel/list" | "/platform/list" | "/arch/list";
  create: (part: Omit<Part, "id">) => Promise<unknown>;
  update: (part: Part) => Promise<unknown>;
  remove: (id: string) => Promise<unknown>;
}

/** The updaters that the server knows. */
export const UPDATERS = ["manual", "squirrel_darwin", "squirrel_windows", "sparkle", "electron-builder", "tauri", "velopack"];

const MANUAL = [{ type: "manual", default: true }];

export const PART_KINDS: readonly PartKind[] = [
  {
    kind: "Channels",
    noun: "channel",
    one: "channel",
    title: "Channels",
    about: "What a check asks for, such as stable or beta.",
    list: "/channel/list",
    create: ({ name }) => body(server.POST("/channel/create", { body: { channel: name } })),
    update: ({ id, name }) => body(server.POST("/channel/update", { body: { id, channel: name } })),
    remove: (id) => body(server.DELETE("/channel/delete", { params: { query: { id } } })),
  },
  {
    kind: "Platforms",
    noun: "platform",
    one: "platform",
    title: "Platforms",
    about: "Operating systems. Their usual other names mean the same: darwin and macos are one.",
    list: "/platform/list",
    create: ({ name, updaters }) =>
      body(server.POST("/platform/create", { body: { platform: name, updaters: updaters ?? MANUAL } })),
    update: ({ id, name, updaters }) =>
      body(server.POST("/platform/update", { body: { id, platform: name, updaters: updaters ?? MANUAL } })),
    remove: (id) => body(server.DELETE("/platform/delete", { params: { query: { id } } })),
  },
  {
    kind: "Archs",
    noun: "arch",
    one: "architecture",
    title: "Architectures",
    about: "Processors. Their usual other names mean the same: x86_64 and amd64 are one.",
    list: "/arch/list",
    create: ({ name }) => body(server.POST("/arch/create", { body: { arch: name } })),
    update: ({ id, name }) => body(server.POST("/arch/update", { body: { id, arch: name } })),
    remove: (id) => body(server.DELETE("/arch/delete", { params: { query: { id } } })),
  },
];

/** The parts that a list of the server has. */
export function partsOf(answer: Wire["ChannelList"] | Wire["PlatformList"] | Wire["ArchList"]): Part[] {
  if ("channels" in answer) return (answer.channels ?? []).map((row) => ({ id: row.ID, name: row.ChannelName }));
  if ("platforms" in answer) {
    return (answer.platforms ?? []).map((row) => ({ id: row.ID, name: row.PlatformName, updaters: row.Updaters }));
  }
  if ("archs" in answer) return (answer.archs ?? []).map((row) => ({ id: row.ID, name: row.ArchID }));
  return [];
}
