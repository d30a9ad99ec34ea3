import { join } from "node:path";
import type { InlineConfig } from "vite";

const WEB = join(import.meta.dirname, "../web");

/** Two pages, their scripts and styles as files of their own: the content policy allows nothing inline. */
const CONFIG: InlineConfig = {
  configFile: false,
  root: WEB,
  logLevel: "warn",
  appType: "mpa",
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    // Pictures stay files: a data: URL would need a wider content policy.
    assetsInlineLimit: 0,
    rollupOptions: { input: { index: join(WEB, "index.html"), duo: join(WEB, "duo.html") } },
  },
};

/**
 * Builds the page into web/dist. Runs as npm's `prepare`, so without Vite, which is what `npm ci --omit=dev` leaves, there
 * is nothing to do: such an installation gets the page built elsewhere.
 */
export async function buildWeb(): Promise<void> {
  const vite = await loadVite();
  await vite?.build(CONFIG);
}

async function loadVite(): Promise<typeof import("vite") | undefined> {
  try {
    return await import("vite");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

if (import.meta.main) await buildWeb();
