import { describe, expect, it } from "vitest";
import { RoomError } from "../../../services/errors.ts";
import { createLog, type Logger } from "../../../services/log.ts";
import { eventually } from "../../support/eventually.ts";

function capture(options: { level?: string; pretty?: boolean } = {}): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  const log = createLog({
    level: options.level ?? "info",
    pretty: options.pretty ?? false,
    fields: { role: "edge" },
    output: { write: (line) => lines.push(line) },
  });
  return { log, lines };
}

/** A line that would forge another, colour the terminal, ring its bell and move its cursor. */
const HOSTILE = 'a\n{"level":"info","msg":"forged"}\r\u001b[31mred\u0007\u009b2J\u007f\u2028';
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
const CONTROL = /[\x00-\x09\x0b-\x1a\x1c-\x1f\x7f-\x9f\u2028\u2029]/;

describe("createLog for machines", () => {
  it("writes one JSON object a line, with time, level and the process's fields", () => {
    const { log, lines } = capture();
    log.info({ port: 3000 }, "listening");
    expect(lines).toHaveLength(1);
    expect(lines[0]?.endsWith("}\n")).toBe(true);
    const entry: unknown = JSON.parse(lines[0] ?? "");
    expect(entry).toEqual({ level: "info", time: expect.any(String), role: "edge", port: 3000, msg: "listening" });
    expect(entry).toHaveProperty("time", expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/));
  });

  it("leaves out what is less severe than the level", () => {
    const { log, lines } = capture({ level: "warn" });
    log.info("no");
    log.warn("yes");
    expect(lines).toHaveLength(1);
  });

  it("writes errors with stack, reason and cause", () => {
    const { log, lines } = capture();
    log.error(
      { err: new RoomError("unavailable", "no broker", { cause: new Error("ECONNREFUSED") }) },
      "publish failed",
    );
    const entry = JSON.parse(lines[0] ?? "") as { err: { stack: string; reason: string } };
    expect(entry.err.reason).toBe("unavailable");
    expect(entry.err.stack).toContain("caused by: Error: ECONNREFUSED");
  });

  it("gives every error a correlation id, the one its caller was told where there was a caller", () => {
    const { log, lines } = capture();
    log.error("the listener failed");
    log.error({ err: new Error("x"), correlationId: "told" }, "a frame failed");
    log.fatal({ err: new Error("x") }, "cannot start");
    log.warn("slow");
    const ids = lines.map((line) => (JSON.parse(line) as { correlationId?: string }).correlationId);
    expect(ids).toEqual([
      expect.stringMatching(/^[0-9a-f-]{36}$/),
      "told",
      expect.stringMatching(/^.{36}$/),
      undefined,
    ]);
  });

  it("keeps hostile text within its line, and loses nothing of it", () => {
    const { log, lines } = capture();
    log.info({ username: HOSTILE }, HOSTILE);
    expect(lines).toHaveLength(1);
    expect(lines[0]?.slice(0, -1)).not.toMatch(CONTROL);
    expect(lines[0]?.indexOf("\n")).toBe((lines[0]?.length ?? 0) - 1);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ username: HOSTILE, msg: HOSTILE });
  });
});

describe.each([false, true])("secrets (pretty: %s)", (pretty) => {
  it.each(["token", "tokens", "secret", "session", "password", "authorization", "cookie", "jwtSecret"])("%s", (key) => {
    const { log, lines } = capture({ pretty });
    log.info({ [key]: "hunter2" }, "top");
    log.info({ headers: { [key]: "hunter2" } }, "one down");
    log.info({ request: { headers: { [key]: "hunter2" } } }, "two down");
    expect(lines.join("")).not.toContain("hunter2");
    expect(lines.join("").match(/\[removed\]/g)).toHaveLength(3);
  });
});

describe("createLog for people", () => {
  it("writes level, message and fields", () => {
    const { log, lines } = capture({ pretty: true });
    log.warn({ room: "general" }, "slow");
    expect(lines.join("")).toMatch(/\d\d:\d\d:\d\d.*WARN.*slow/);
    expect(lines.join("")).toContain("general");
  });

  it("escapes hostile text in messages, fields, keys and errors", () => {
    const { log, lines } = capture({ pretty: true });
    log.info({ username: HOSTILE, nested: { [HOSTILE]: [HOSTILE] } }, HOSTILE);
    log.error({ err: new Error(HOSTILE) }, "failed");
    const text = lines.join("");
    // Escape characters are left where pino-pretty colours its own words, and nowhere else.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
    const plain = text.replace(/\u001b\[\d+m/g, "");
    expect(plain).not.toMatch(CONTROL);
    expect(plain).not.toContain("\u001b");
    expect(text).not.toContain("\u001b[31mred");
    for (const line of plain.split("\n")) expect(line.startsWith("{")).toBe(false);
  });
});

describe("a storm of lines", () => {
  const read = (lines: readonly string[]) => lines.map((line) => JSON.parse(line) as Record<string, unknown>);

  it("is cut short: the first of each text, and a line a second with the number of the rest", async () => {
    const { log, lines } = capture({ level: "info" });
    for (let client = 0; client < 5_000; client++) {
      log.info({ client }, "connection opened");
      log.child({ part: "x" }).warn({ client }, "something odd");
    }
    log.info("something else");
    const of = (text: string) => read(lines).filter(({ msg }) => msg === text);
    expect(of("something else")).toHaveLength(1);
    expect(of("connection opened")[0]).toMatchObject({ level: "info", client: 0, role: "edge" });
    // A slow machine may need more than a second for them.
    expect(lines.length).toBeLessThan(1_000);
    for (const text of ["connection opened", "something odd"]) {
      const told = () => of(text).reduce((sum, { suppressed }) => sum + Number(suppressed ?? 1), 0);
      await eventually(`a word on every line of ${text}`, () => told() === 5_000, { state: told });
      expect(of(text).at(-1)).toMatchObject({ suppressed: expect.any(Number), role: "edge" });
    }
  });

  it("counts nothing that no level would show, and never leaves out what is fatal", async () => {
    const { log, lines } = capture({ level: "warn" });
    for (let line = 0; line < 500; line++) log.info("quiet");
    for (let line = 0; line < 500; line++) log.fatal("the end");
    expect(lines).toHaveLength(500);
  });
});
