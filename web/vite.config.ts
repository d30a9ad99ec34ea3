import { join } from "node:path";
import { defineConfig } from "vite";

/** Two pages, their scripts and styles as files of their own: the content policy allows nothing inline. */
export default defineConfig({
  root: import.meta.dirname,
  // Told apart by the server's own routes, so that a path nobody knows is no page.
  appType: "mpa",
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    // Pictures stay files: a data: URL would need a wider content policy.
    assetsInlineLimit: 0,
    rollupOptions: {
      input: { index: join(import.meta.dirname, "index.html"), duo: join(import.meta.dirname, "duo.html") },
    },
  },
});
