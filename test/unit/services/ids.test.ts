import { assert, constantFrom, property, string, stringMatching } from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeToken, encodeToken } from "../../../broker/subjects.ts";
import {
  directRoom,
  directUsers,
  isCustomType,
  matchesPattern,
  messageId,
  parseRoomId,
  parseUid,
  SERVICE_UID_PREFIX,
  serviceConversationUid,
} from "../../../services/ids.ts";

const NEVER_IDS: readonly unknown[] = [
  "",
  " ",
  "a b",
  "a\tb",
  "a\r\nPUB x 1",
  "a\n",
  "*",
  ">",
  "a.*",
  "a/b",
  "../x",
  "%2e",
  "a\0",
  "é",
  "🂡",
  "x".repeat(65),
  "x".repeat(5_000),
  undefined,
  null,
  7,
  {},
  ["general"],
  Object("general"),
];

describe("parseRoomId", () => {
  it.each(["general", "a", "x".repeat(64), "table:7", "a.b", ".", "..", "@", "A-Z_09", "direct"])("%s", (room) =>
    expect(parseRoomId(room)).toBe(room),
  );

  it.each([...NEVER_IDS, "a|b", "$SYS.x", "_INBOX x"].map((value) => [value]))("refuses %j", (value) => {
    expect(parseRoomId(value)).toBeUndefined();
  });

  it.each(["direct:a:b", `direct:${"a".repeat(64)}:${"b".repeat(64)}`, "direct:A:a", "direct:a|1:b@2"])("%s", (room) =>
    expect(parseRoomId(room)).toBe(room),
  );

  it.each([
    "direct:",
    "direct:a",
    "direct:a:",
    "direct::b",
    "direct:a:a",
    "direct:b:a",
    "direct:a:b:c",
    "direct:a b:c",
    `direct:${"a".repeat(65)}:b`,
  ])("refuses %s", (room) => expect(parseRoomId(room)).toBeUndefined());
});

describe("parseUid", () => {
  it.each(["percy", "a@b.example", "service|dealer", "x".repeat(64)])("%s", (uid) => expect(parseUid(uid)).toBe(uid));

  it.each([...NEVER_IDS, "a:b"].map((value) => [value]))("refuses %j", (value) => {
    expect(parseUid(value)).toBeUndefined();
  });
});

describe("direct conversations", () => {
  const uid = stringMatching(/^[A-Za-z0-9_.@|-]{1,64}$/).map((text) => {
    const parsed = parseUid(text);
    if (parsed === undefined) throw new Error(`no uid: ${text}`);
    return parsed;
  });

  it("have one id, whoever asks, from which both users can be read", () => {
    assert(
      property(uid, uid, (a, b) => {
        const room = directRoom(a, b);
        expect(room).toBe(directRoom(b, a));
        expect(room === undefined).toBe(a === b);
        if (room === undefined) return;
        expect(parseRoomId(room)).toBe(room);
        expect(directUsers(room)).toEqual([a, b].sort());
      }),
    );
  });

  it("sorts by code unit, not by locale", () => {
    const [a, b] = [parseUid("a"), parseUid("B")];
    if (!a || !b) throw new Error("no uids");
    expect(directRoom(a, b)).toBe("direct:B:a");
  });

  it("are not other rooms", () => expect(directUsers("general")).toBeUndefined());

  it("give services names that no token may use", () => {
    expect(serviceConversationUid("dealer")).toBe("service|dealer");
    expect(serviceConversationUid("x".repeat(32)).startsWith(SERVICE_UID_PREFIX)).toBe(true);
    expect(parseUid(serviceConversationUid("x".repeat(32)))).toBeDefined();
  });
});

describe("parsing anything", () => {
  it("never throws, and what it accepts survives as a subject token", () => {
    const texts = string({ unit: constantFrom(..."ab.:@-|_ *>\r\n\0/é=") });
    assert(
      property(texts, (text) => {
        for (const id of [parseRoomId(text), parseUid(text)]) {
          if (id === undefined) continue;
          expect(id).toBe(text);
          expect(encodeToken(id)).toMatch(/^[A-Za-z0-9_=-]+$/);
          expect(decodeToken(encodeToken(id))).toBe(id);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("isCustomType", () => {
  it.each(["table.result", "a.b", "a_1.b_2.c", "a.0", `a.${"b".repeat(62)}`])("%s", (type) =>
    expect(isCustomType(type)).toBe(true),
  );

  it.each([
    "",
    "table",
    "new_message",
    "Table.result",
    "1.a",
    "a.",
    ".a",
    "a..b",
    "a b.c",
    "a.b\n",
    "a-b.c",
    `a.${"b".repeat(63)}`,
  ])("refuses %j", (type) => expect(isCustomType(type)).toBe(false));
});

describe("matchesPattern", () => {
  it.each([
    ["general", "general", true],
    ["general", "General", false],
    ["general", "general2", false],
    ["table:*", "table:7", true],
    ["table:*", "table:", true],
    ["table:*", "tables", false],
    ["*", "anything", true],
    ["a*b", "a*b", true],
    ["a*b", "axb", false],
    ["", "", true],
    ["", "a", false],
    ["a.b", "axb", false],
  ])("%j and %j: %s", (pattern, room, expected) => expect(matchesPattern(pattern, room)).toBe(expected));
});

describe("messageId", () => {
  it("is of log and position", () => expect(messageId("e1", 42)).toBe("e1-42"));
});
