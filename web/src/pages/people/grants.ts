import type { Wire } from "../../api/client";
import type { Kind, Right } from "../../app/rights";

export type Permissions = Wire["Permissions"];

/** What can be granted of each kind of resource, with the words for it. */
export const GRANTS: readonly { kind: Kind; title: string; rights: readonly { right: Right; title: string }[] }[] = [
  {
    kind: "Apps",
    title: "Apps and their releases",
    rights: [
      { right: "Create", title: "Create apps" },
      { right: "Edit", title: "Change apps and releases" },
      { right: "Upload", title: "Register releases" },
      { right: "Delete", title: "Delete apps and releases" },
    ],
  },
  { kind: "Channels", title: "Channels", rights: rightsOn("channels") },
  { kind: "Platforms", title: "Platforms", rights: rightsOn("platforms") },
  { kind: "Archs", title: "Architectures", rights: rightsOn("architectures") },
];

function rightsOn(many: string): readonly { right: Right; title: string }[] {
  return [
    { right: "Create", title: `Create ${many}` },
    { right: "Edit", title: `Change ${many}` },
    { right: "Delete", title: `Delete ${many}` },
  ];
}

/** Whether a right is granted. */
export function has(permissions: Permissions, kind: Kind, right: Right): boolean {
  return (permissions[kind] as Partial<Record<Right, boolean>> | undefined)?.[right] === true;
}

/** The permissions with a right granted or taken away. */
export function withRight(permissions: Permissions, kind: Kind, right: Right, isGranted: boolean): Permissions {
  return { ...permissions, [kind]: { ...permissions[kind], [right]: isGranted } };
}

/** The permissions with these resources, and no others of the kind, to see and work with. */
export function withAllowed(permissions: Permissions, kind: Kind, allowed: string[]): Permissions {
  return { ...permissions, [kind]: { ...permissions[kind], Allowed: allowed } };
}

/** In a few words: `apps: 2, change, register · channels: 1`. */
export function summary(permissions: Permissions): string {
  const parts = GRANTS.flatMap(({ kind, title, rights }) => {
    const number = permissions[kind]?.Allowed?.length ?? 0;
    const granted = rights.filter(({ right }) => has(permissions, kind, right)).map(({ right }) => right.toLowerCase());
    const words = [...(number === 0 ? [] : [String(number)]), ...granted];
    return words.length === 0 ? [] : [`${title.split(" ", 1)[0] ?? ""}: ${words.join(", ")}`];
  });
  return parts.length === 0 ? "Sees all numbers, changes nothing" : parts.join(" · ");
}
