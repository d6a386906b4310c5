/** What a snippet is filled in with. */
export interface Place {
  /** Where the server is: `https://updates.example.com`. */
  server: string;
  /** The administrator whose app it is: without one, that of the installation is asked. */
  owner: string;
  app: string;
  channel: string;
  platform: string;
  arch: string;
}

/** A way to ask, for people to copy. */
export interface Snippet {
  title: string;
  /** What to know besides. */
  note: string;
  text: (place: Place) => string;
}

function query({ owner, app, channel, platform, arch }: Place, version: string): string {
  const named = { owner, app_name: app, channel, platform, arch };
  const pairs = Object.entries(named).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return [`version=${version}`, ...pairs].join("&");
}

const BEACON =
  "Your updater stays as it is. This tells Headcount which version runs, once at the start of the app; a failure of it changes nothing for the app.";

/** The ways, the simplest first. The id is a random one that the app keeps; it says nothing about the device or its user. */
export const SNIPPETS: readonly Snippet[] = [
  {
    title: "curl",
    note: "Be a device, right now: paste this into a terminal.",
    text: (place) =>
      `curl -i '${place.server}/checkVersion?${query(place, "1.0.0")}' \\\n  -H "X-Device-ID: $(cat /proc/sys/kernel/random/uuid 2>/dev/null || uuidgen)"`,
  },
  {
    title: "Rust",
    note: "With the crates ureq 3 and serde_json. Keep `device_id`, a random UUID, in the app's data folder.",
    text: (place) =>
      `let version = env!("CARGO_PKG_VERSION");
let url = format!("${place.server}/checkVersion?${query(place, "{version}")}");
let answer: serde_json::Value =
    ureq::get(&url).header("X-Device-ID", &device_id).call()?.body_mut().read_json()?;
if answer["update_available"] == true {
    println!("There is a newer version.");
}`,
  },
  {
    title: "JavaScript",
    note: "In a page, in Node.js or in a web view. Keep `deviceId`, made once by crypto.randomUUID().",
    text: (place) =>
      `const url = \`${place.server}/checkVersion?${query(place, "${encodeURIComponent(version)}")}\`;
const answer = await fetch(url, { headers: { "X-Device-ID": deviceId } });
const { update_available } = await answer.json();`,
  },
  {
    title: "Tauri",
    note: BEACON,
    text: (place) =>
      `import { getVersion } from "@tauri-apps/api/app";

const version = encodeURIComponent(await getVersion());
const url = \`${place.server}/telemetry/beacon?${query(place, "${version}")}\`;
fetch(url, { headers: { "X-Device-ID": deviceId } }).catch(() => {});`,
  },
  {
    title: "electron-updater",
    note: BEACON,
    text: (place) =>
      `const { app, net } = require("electron");

const version = encodeURIComponent(app.getVersion());
const url = \`${place.server}/telemetry/beacon?${query(place, "${version}")}\`;
net.fetch(url, { headers: { "X-Device-ID": deviceId } }).catch(() => {});`,
  },
  {
    title: "Sparkle",
    note: BEACON,
    text: (place) =>
      `let version = Bundle.main.infoDictionary?["CFBundleShortVersionString"] as? String ?? ""
let url = URL(string: "${place.server}/telemetry/beacon?${query(place, "\\(version)")}")!
var request = URLRequest(url: url)
request.setValue(deviceId, forHTTPHeaderField: "X-Device-ID")
URLSession.shared.dataTask(with: request).resume()`,
  },
];
