import { describe, expect, it } from "vitest";
import { edgesOf } from "../../../web/src/edges.ts";
import { isRoomId, search, toRoomId } from "../../../web/src/room-search.ts";
import { Roster } from "../../../web/src/roster.ts";
import { Typing } from "../../../web/src/typing.ts";

describe("finding a room", () => {
  it("takes what was typed as a name where it can", () => {
    expect([toRoomId("  #table 7 "), toRoomId("a.b:c@d-e")]).toEqual(["table-7", "a.b:c@d-e"]);
    expect(["table-7", "A".repeat(64)].map(isRoomId)).toEqual([true, true]);
    expect(["", "a b", "direct:a:b", "ä", "a".repeat(65)].map(isRoomId)).toEqual([false, false, false, false, false]);
  });

  it("lists beginnings first and keeps the order otherwise", () => {
    const rooms = ["old-table", "Table-2", "kitchen", "table-1"];
    expect(search(rooms, "#table", (room) => room)).toEqual(["Table-2", "table-1", "old-table"]);
    expect(search(rooms, " ", (room) => room)).toEqual(rooms);
  });
});

describe("a roster", () => {
  const member = (uid: string, username = uid) => ({ uid, username });

  it("follows changes and sorts by name", () => {
    const roster = new Roster();
    roster.replace([member("b", "bob"), member("a", "Ann")], 2);
    roster.change({ count: 3, joined: [member("c", "áron")], left: [] });
    roster.change({ count: 2, joined: [], left: [member("b")] });
    expect(roster.members.map(({ username }) => username)).toEqual(["Ann", "áron"]);
    expect([roster.count, roster.get("a")?.username, roster.get("b")]).toEqual([2, "Ann", undefined]);
  });

  it("keeps no more than can be read", () => {
    const roster = new Roster();
    roster.replace([], 5_000);
    for (let page = 0; page < 20; page++) {
      roster.add(Array.from({ length: 100 }, (_, index) => member(`u-${page}-${index}`)));
    }
    expect([roster.members.length, roster.count]).toEqual([1_000, 5_000]);
  });
});

describe("who is typing", () => {
  it("is said for a few seconds, or until they sent it", () => {
    const typing = new Typing();
    typing.heard("a", "Ann", 0);
    typing.heard("b", "Bob", 1_000);
    expect(typing.text(2_000)).toBe("Ann and Bob are typing");
    expect(typing.text(4_500)).toBe("Bob is typing");
    typing.stopped("b");
    expect(typing.text(4_600)).toBe("");
    for (const uid of ["a", "b", "c", "d"]) typing.heard(uid, uid, 5_000);
    expect(typing.text(5_000)).toBe("Several people are typing");
  });
});

describe("the edges of /duo", () => {
  it("are the page's own, or those it was given", () => {
    expect(edgesOf("http://127.0.0.1:3000/duo#x")).toEqual(["ws://127.0.0.1:3000/ws"]);
    expect(edgesOf("http://a/duo?edges=http://127.0.0.1:3000,https://b.example/")).toEqual([
      "ws://127.0.0.1:3000/ws",
      "wss://b.example/ws",
    ]);
  });

  it.each(["", "nonsense", "javascript:alert(1)", "http://a,http://b,http://c"])("are not %j", (edges) => {
    expect(edgesOf(`http://a/duo?edges=${edges}`)).toBeUndefined();
  });
});
