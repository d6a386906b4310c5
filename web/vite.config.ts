import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

import { themeStyles } from "./build/theme-styles";

const server = process.env["HEADCOUNT_URL"] ?? "http://127.0.0.1:9000";

export default defineConfig({
  plugins: [react(), themeStyles()],
  build: {
    outDir: "dist/bundle",
    target: "es2022",
    // Every file on its own: the Content-Security-Policy allows no `data:` scripts or styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // `build/size.mjs` says how much each page loads.
    manifest: "manifest.json",
    chunkSizeWarningLimit: 600,
  },
  server: {
    // `npm run dev` beside a server that runs on this machine.
    proxy: { "^/(?!src/|@|node_modules/|build/|icon|assets/).*": { target: server, bypass: page } },
  },
});

/** What a browser asks for as a page is this server's; everything else is the API's. */
function page(request: { headers: { accept?: string | undefined } }): string | undefined {
  return request.headers.accept?.includes("text/html") ? "/index.html" : undefined;
}
