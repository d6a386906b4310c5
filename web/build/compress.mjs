// Writes a .br and a .gz beside every file of the bundle that gets smaller by it; the server embeds all three.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const bundle = new URL("../dist/bundle", import.meta.url).pathname;
// What a page loads is measured before this, and not served.
const endings = [".js", ".css", ".html", ".svg"];

for (const entry of readdirSync(bundle, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (!entry.isFile() || !endings.some((ending) => entry.name.endsWith(ending))) continue;
  const content = readFileSync(path);
  const parameters = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
  for (const [ending, smaller] of [
    [".br", brotliCompressSync(content, { params: parameters })],
    [".gz", gzipSync(content, { level: 9 })],
  ]) {
    if (smaller.length < content.length) writeFileSync(path + ending, smaller);
    else rmSync(path + ending, { force: true });
  }
}
