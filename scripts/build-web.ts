import { join } from "node:path";

/**
 * Builds the page into web/dist. Runs as npm's `prepare`, so without Vite, which is what `npm ci --omit=dev` leaves, there
 * is nothing to do: such an installation gets the page built elsewhere.
 */
const vite = await loadVite();
await vite?.build({ configFile: join(import.meta.dirname, "../web/vite.config.ts"), logLevel: "warn" });

async function loadVite(): Promise<typeof import("vite") | undefined> {
  try {
    return await import("vite");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}
