import { join } from "node:path";
import type { InlineConfig } from "vite";

const WEB = join(import.meta.dirname, "../web");

/** Scripts and styles as files of their own: the content policies allow nothing inline. */
const COMMON: InlineConfig = {
  configFile: false,
  root: WEB,
  logLevel: "warn",
  appType: "mpa",
};

/** What edges serve to everybody at /, and what RoomServices serve to operators at /admin: neither has the other. */
const SITES: readonly InlineConfig[] = [
  { ...COMMON, build: build("page", "index", "duo") },
  { ...COMMON, base: "/admin/", build: build("console", "admin") },
];

function build(folder: string, ...pages: readonly string[]): NonNullable<InlineConfig["build"]> {
  return {
    outDir: join(WEB, "dist", folder),
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    // Pictures stay files: a data: URL would need a wider content policy.
    assetsInlineLimit: 0,
    rollupOptions: { input: Object.fromEntries(pages.map((page) => [page, join(WEB, `${page}.html`)])) },
  };
}

/**
 * Builds the pages into web/dist. Runs as npm's `prepare`, so without Vite, which is what `npm ci --omit=dev` leaves, there
 * is nothing to do: such an installation gets them built elsewhere.
 */
export async function buildWeb(): Promise<void> {
  const vite = await loadVite();
  for (const site of SITES) await vite?.build(site);
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
