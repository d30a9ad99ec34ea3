import { chmod, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { getNatsServer, getNatsServers } from "../../../scripts/get-nats-server.ts";

describe("getNatsServer", () => {
  let directory = "";
  let cache = "";

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "baccarat-path-"));
    cache = await mkdtemp(join(tmpdir(), "baccarat-cache-"));
  });
  afterEach(() => Promise.all([directory, cache].map((path) => rm(path, { recursive: true, force: true }))));

  /** Puts a program on a PATH that has nothing else but a shell's own words. */
  async function program(name: string, script: string): Promise<string> {
    const path = join(directory, name);
    await writeFile(path, `#!/bin/sh\n${script}\n`);
    await chmod(path, 0o755);
    return path;
  }

  const says = (version: string): string => `echo "nats-server: v${version}"`;

  it("takes the one that is named, before any other", async () => {
    const named = await program("chosen", says("2.12.3"));
    await program("nats-server", says("2.9.10"));
    expect(await getNatsServer({ NATS_SERVER_BIN: named, PATH: directory }, cache)).toEqual({
      path: named,
      version: "2.12.3",
      origin: "NATS_SERVER_BIN",
    });
  });

  it("does not go on with another one when the named one is wrong", async () => {
    await program("nats-server", says("2.9.10"));
    const wrong = await program("wrong", "echo hello");
    await expect(getNatsServer({ NATS_SERVER_BIN: wrong, PATH: directory }, cache)).rejects.toThrow(
      `${wrong} (NATS_SERVER_BIN) is no nats-server: it says hello`,
    );
    await expect(
      getNatsServers({ NATS_SERVER_BIN: join(directory, "missing"), PATH: directory }, cache),
    ).rejects.toThrow();
  });

  it("takes the one on PATH", async () => {
    const path = await program("nats-server", says("2.9.10"));
    expect(await getNatsServer({ PATH: `/nowhere:${directory}` }, cache)).toEqual({
      path,
      version: "2.9.10",
      origin: "PATH",
    });
  });

  it("installs Debian's as root, and nobody else's", async () => {
    const server = join(directory, "nats-server");
    const stored = await program("stored", says("2.9.10"));
    await symlink("/bin/cp", join(directory, "cp"));
    await program("apt-get", `if [ "$1" = install ]; then cp ${stored} ${server}; fi`);
    const found = await getNatsServer({ PATH: directory }, cache).catch((error: Error) => error.message);
    if (process.getuid?.() === 0) expect(found).toEqual({ path: server, version: "2.9.10", origin: "apt-get" });
    else expect(found).toContain("no nats-server to be had");
  });

  it("builds one with Go, and keeps it", async () => {
    const stored = await program("stored", says("2.15.2"));
    await symlink("/bin/cp", join(directory, "cp"));
    await program("go", `cp ${stored} $GOBIN/nats-server`);
    const built = await getNatsServer({ PATH: directory }, cache);
    expect(built).toMatchObject({ version: "2.15.2", origin: "go install" });
    await program("go", "exit 1");
    expect(await getNatsServer({ PATH: directory }, cache)).toEqual(built);
  });

  it("fails with instructions and with what went wrong when there is none", async () => {
    await program("go", "echo no network >&2; exit 1");
    const error = await getNatsServer({ PATH: directory }, cache).catch((thrown: Error) => thrown.message);
    expect(error).toMatch(/^no nats-server to be had\. Any of these helps:/);
    expect(error).toContain("no network");
    await expect(getNatsServers({ PATH: "" }, cache)).rejects.toThrow("no nats-server to be had");
  });

  it("gives all there are, oldest first, one of each version", async () => {
    const named = await program("chosen", says("2.10.4"));
    await program("nats-server", says("2.9.10"));
    const stored = await program("stored", says("2.10.4"));
    await symlink("/bin/cp", join(directory, "cp"));
    await program("go", `cp ${stored} $GOBIN/nats-server`);
    const all = await getNatsServers({ NATS_SERVER_BIN: named, PATH: directory }, cache);
    expect(all.map(({ version, origin }) => `${version} ${origin}`)).toEqual(["2.9.10 PATH", "2.10.4 NATS_SERVER_BIN"]);
  });
});
