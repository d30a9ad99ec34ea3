import { PassThrough } from "node:stream";
import { WriteStream } from "node:tty";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Session } from "../../../cli/session.ts";
import { clock, fields, printable, table, time } from "../../../cli/text.ts";

describe("printable", () => {
  it("leaves text of any language as it is", () => {
    for (const text of ["hello", "grüße", "你好", "שלום", "👩‍👩‍👧", "a\u00a0b"]) expect(printable(text)).toBe(text);
  });

  it.each([
    ["\u001b[2Jgone", "\\u001b[2Jgone"],
    ["two\nlines\r", "two\\u000alines\\u000d"],
    ["\u009b31m", "\\u009b31m"],
    ["abc\u202edcba", "abc\\u202edcba"],
    ["\u2028", "\\u2028"],
    ["\u0000\u007f", "\\u0000\\u007f"],
  ])("shows what could disturb a terminal as an escape: %j", (text, shown) => expect(printable(text)).toBe(shown));
});

describe("table", () => {
  const columns = [
    { name: "uid", value: (row: { uid: string; count: number }) => row.uid },
    { name: "count", value: (row: { uid: string; count: number }) => row.count },
  ];

  it("aligns columns under headings", () => {
    expect(
      table(
        [
          { uid: "percy", count: 1 },
          { uid: "al", count: 22 },
        ],
        columns,
      ),
    ).toBe(["UID    COUNT", "percy  1", "al     22"].join("\n"));
  });

  it("escapes what users wrote, and styles the headings only", () => {
    expect(table([{ uid: "a\nb", count: 0 }], columns, (text) => `<${text}>`)).toBe("<UID       COUNT>\na\\u000ab  0");
  });
});

describe("fields and times", () => {
  it("aligns values", () => {
    expect(fields({ a: 1, long: "x\u001b", empty: "" })).toBe("a      1\nlong   x\\u001b\nempty");
  });

  it("shows times, and their absence", () => {
    const timestamp = { $typeName: "google.protobuf.Timestamp" as const, seconds: 0n, nanos: 0 };
    expect(time(timestamp)).toBe("1970-01-01T00:00:00.000Z");
    expect(clock(timestamp)).toMatch(/^\d\d:\d\d:\d\d$/);
    expect([time(undefined), clock(undefined)]).toEqual(["-", "--:--:--"]);
  });
});

describe("colours", () => {
  afterEach(() => vi.unstubAllEnvs());

  /** A session that prints to a terminal, or to a pipe. */
  function session(isTTY: boolean): Session {
    const { getColorDepth } = WriteStream.prototype;
    const stdout = Object.assign(new PassThrough(), isTTY ? { isTTY, getColorDepth } : {});
    const shell = { stdout, stderr: stdout, stdin: stdout, env: {}, signal: new AbortController().signal };
    return new Session(shell, { url: "http://127.0.0.1:1", json: false, timeout: 1_000 });
  }

  it("are used on a terminal, unless NO_COLOR is set, and never in a pipe", () => {
    for (const name of ["FORCE_COLOR", "NODE_DISABLE_COLORS", "NO_COLOR", "CI"]) vi.stubEnv(name, undefined);
    vi.stubEnv("TERM", "xterm-256color");
    expect(session(true).style("red", "x")).toBe("\u001b[31mx\u001b[39m");
    expect(session(false).style("red", "x")).toBe("x");
    vi.stubEnv("NO_COLOR", "1");
    expect(session(true).style("red", "x")).toBe("x");
  });
});
