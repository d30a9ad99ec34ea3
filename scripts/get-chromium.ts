import { execFileSync } from "node:child_process";
import { accessSync, constants, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Names under which distributions install Chromium or Chrome. */
const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

const HELP = `no Chromium found for the browser tests. Any of these helps:
  - set CHROMIUM_BIN to the path of a Chromium or Chrome
  - install one so that ${NAMES.slice(0, 3).join(", ")} is on PATH (Debian, Ubuntu: apt-get install chromium)`;

/** Thrown when there is no browser and none can be installed; the message says what to do. */
export class NoChromium extends Error {
  constructor(reason: string, cause?: unknown) {
    super(`${reason}\n${HELP}`, { cause });
    this.name = "NoChromium";
  }
}

/**
 * Path of a Chromium: CHROMIUM_BIN, else one on PATH, else one installed by apt when this is Debian and root.
 * @throws NoChromium.
 */
export function getChromium(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const chosen = env.CHROMIUM_BIN;
  if (chosen !== undefined && chosen !== "") {
    if (!isExecutable(chosen)) throw new NoChromium(`CHROMIUM_BIN is ${chosen}, which cannot be run`);
    return chosen;
  }
  const found = findOnPath(env.PATH ?? "");
  if (found !== undefined) return found;
  if (!isDebian() || process.getuid?.() !== 0)
    throw new NoChromium("not on PATH, and only root on Debian can install it");
  install();
  const installed = findOnPath(env.PATH ?? "");
  if (installed === undefined) throw new NoChromium("apt-get installed chromium, but it is not on PATH");
  return installed;
}

function findOnPath(path: string): string | undefined {
  const directories = path.split(delimiter).filter((directory) => directory !== "");
  return NAMES.flatMap((name) => directories.map((directory) => join(directory, name))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isDebian(): boolean {
  try {
    return /^ID(_LIKE)?=.*debian/m.test(readFileSync("/etc/os-release", "utf8"));
  } catch {
    return false;
  }
}

function install(): void {
  const apt = (...args: string[]): void => {
    // apt's own output goes to stderr: stdout carries the path.
    execFileSync("apt-get", ["-qq", ...args], {
      stdio: ["ignore", 2, 2],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
  };
  try {
    apt("update");
    apt("install", "--yes", "--no-install-recommends", "chromium");
  } catch (error) {
    throw new NoChromium("apt-get could not install chromium", error);
  }
}

if (import.meta.main) {
  try {
    process.stdout.write(`${getChromium()}\n`);
  } catch (error) {
    if (!(error instanceof NoChromium)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
