// Says how much each page loads at first, compressed by gzip, and fails where one is above the budget.
import { existsSync, readFileSync, statSync } from "node:fs";

const BUDGET = 250 * 1000;
const bundle = new URL("../dist/bundle/", import.meta.url).pathname;
const chunks = JSON.parse(readFileSync(`${bundle}manifest.json`, "utf8"));
const entry = Object.keys(chunks).find((name) => chunks[name].isEntry);

/** The files of a chunk and of all that it imports at once. */
function files(name, found = new Set()) {
  const chunk = chunks[name];
  if (found.has(chunk.file)) return found;
  found.add(chunk.file);
  for (const style of chunk.css ?? []) found.add(style);
  for (const imported of chunk.imports ?? []) files(imported, found);
  return found;
}

function size(file) {
  const compressed = `${bundle}${file}.gz`;
  return statSync(existsSync(compressed) ? compressed : `${bundle}${file}`).size;
}

const pages = Object.keys(chunks).filter((name) => /^src\/pages\/[^/]+(\/index)?\.tsx$/.test(name));
let isTooMuch = false;
for (const page of pages) {
  const loaded = files(page, files(entry));
  const bytes = [...loaded].reduce((sum, file) => sum + size(file), size("index.html"));
  isTooMuch ||= bytes > BUDGET;
  console.log(`${String(Math.round(bytes / 1000)).padStart(4)} kB  ${page}${bytes > BUDGET ? "  too much" : ""}`);
}
if (pages.length === 0) throw new Error("no page was found in the manifest");
if (isTooMuch) {
  console.error(`A page may load ${BUDGET / 1000} kB at first.`);
  process.exit(1);
}
