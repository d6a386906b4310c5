/** The icons, as paths in a box of 24 by 24. */
const PATHS = {
  overview: "M4 19V11M10 19V5M16 19v-6M21 19H3",
  versions: "M6 3v12M6 15a3 3 0 1 0 .01 0M18 9a3 3 0 1 0-.01 0M18 9c0 6-12 3-12 6",
  platforms: "M4 5h16v10H4zM9 20h6M12 15v5",
  audience: "M9 11a4 4 0 1 0-.01 0M2 20c0-4 3-6 7-6s7 2 7 6M16 3.5a4 4 0 0 1 0 7.2M18 14.5c2.5.8 4 2.6 4 5.5",
  live: "M3 12h4l3-8 4 16 3-8h4",
  attention: "M12 4 2.5 20h19zM12 10v4M12 17v.01",
  quality: "M12 3l8 3v6c0 5-3.5 8-8 9-4.5-1-8-4-8-9V6zM8.5 12l2.5 2.5 4.5-5",
  catalog: "M4 7l8-4 8 4v10l-8 4-8-4zM4 7l8 4 8-4M12 11v10",
  people: "M12 12a4 4 0 1 0-.01 0M4 21c0-4.5 3.5-7 8-7s8 2.5 8 7",
  settings: "M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4",
  menu: "M4 7h16M4 12h16M4 17h16",
  close: "M6 6l12 12M18 6 6 18",
  light: "M12 8a4 4 0 1 0 .01 0M12 2v2M12 20v2M4 12H2M22 12h-2M5 5l1.5 1.5M17.5 17.5 19 19M5 19l1.5-1.5M17.5 6.5 19 5",
  dark: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z",
  signOut: "M14 4H5v16h9M10 12h11M17 8l4 4-4 4",
  explain: "M12 3a9 9 0 1 0 .01 0M12 11v6M12 7v.01",
  table: "M4 5h16v14H4zM4 10h16M10 5v14",
  chart: "M4 20V4M4 20h16M8 16l4-5 3 3 5-7",
  download: "M12 4v11M7.5 11l4.5 4.5 4.5-4.5M4 20h16",
  calendar: "M4 6h16v14H4zM4 10h16M8 3v5M16 3v5",
  filter: "M3 5h18l-7 8v6l-4 2v-8z",
  unknown: "M12 3a9 9 0 1 0 .01 0M9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.7.3-1 .9-1 1.7M12 17v.01",
  empty: "M4 13l3-8h10l3 8v6H4zM4 13h5l1 2.5h4l1-2.5h5",
  failed: "M12 3a9 9 0 1 0 .01 0M12 7v6M12 16.5v.01",
  good: "M12 3a9 9 0 1 0 .01 0M8 12.5l2.5 2.5 5.5-6",
  up: "M12 19V5M6 11l6-6 6 6",
  down: "M12 5v14M6 13l6 6 6-6",
} as const;

export type IconName = keyof typeof PATHS;

/** A picture beside a text that says the same: readers skip it. */
export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
