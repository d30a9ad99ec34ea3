import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadStaticFiles, type StaticFiles } from "../../../services/static-files.ts";

describe("loadStaticFiles", () => {
  let dir = "";
  let files: StaticFiles = new Map();

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "static-files-"));
    await mkdir(join(dir, "assets"));
    await mkdir(join(dir, ".git"));
    await writeFile(join(dir, "index.html"), "<!doctype html>");
    await writeFile(join(dir, "other.html"), "<!doctype html><title>Other</title>");
    await writeFile(join(dir, "app.js"), "export {};");
    await writeFile(join(dir, "assets", "style.css"), "body {}");
    await writeFile(join(dir, "notes.txt"), "not for the public");
    await writeFile(join(dir, ".hidden.js"), "");
    await writeFile(join(dir, ".git", "config.js"), "");
    await symlink("/etc/hostname", join(dir, "leak.js"));
    files = await loadStaticFiles(dir);
  });

  afterAll(() => rm(dir, { recursive: true }));

  it("knows the files of known kinds, and nothing else", () => {
    expect([...files.keys()].sort()).toEqual(["/", "/app.js", "/assets/style.css", "/other"]);
  });

  it("names their types", () => {
    expect(files.get("/")?.contentType).toBe("text/html; charset=utf-8");
    expect(files.get("/app.js")?.contentType).toBe("text/javascript; charset=utf-8");
    expect(files.get("/assets/style.css")?.contentType).toBe("text/css; charset=utf-8");
  });

  it("gives files of different content different validators", () => {
    expect(new Set([...files.values()].map((file) => file.etag)).size).toBe(files.size);
  });

  it("writes into a page's empty meta elements what it is told, and into nothing else", async () => {
    const page = (content: string): string => `<meta name="a-b" content="${content}" /><meta name="c" content="" />`;
    await writeFile(join(dir, "meta.html"), page(""));
    await writeFile(join(dir, "meta.js"), page(""));
    const given = await loadStaticFiles(dir, { "a-b": "table-1", other: "x" });
    expect(given.get("/meta")?.body.toString()).toBe(page("table-1"));
    expect(given.get("/meta.js")?.body.toString()).toBe(page(""));
    expect(given.get("/app.js")).toEqual(files.get("/app.js"));
  });

  it("says so when there is no such folder", async () => {
    await expect(loadStaticFiles(join(dir, "missing"))).rejects.toThrow("ENOENT");
  });
});
