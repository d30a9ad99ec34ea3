import { describe, expect, it } from "vitest";
import { memoryStore, Saved } from "../../../web/src/saved.ts";

describe("what the page remembers", () => {
  it("is the user's for the tab and the taste of the device", () => {
    const device = memoryStore();
    const [one, other] = [new Saved({ tab: memoryStore(), device }), new Saved({ tab: memoryStore(), device })];
    one.session = "secret";
    one.rooms = ["a", "b"];
    one.active = "b";
    one.profile = { username: "Ann", avatarId: "spade" };
    one.theme = "dark";
    expect([one.session, one.rooms, one.active]).toEqual(["secret", ["a", "b"], "b"]);
    expect([other.session, other.rooms, other.active]).toEqual([undefined, [], undefined]);
    expect([other.profile, other.theme]).toEqual([{ username: "Ann", avatarId: "spade" }, "dark"]);
    one.theme = undefined;
    expect(other.theme).toBeUndefined();
  });

  it("lists the rooms used last, each once and not too many", () => {
    const saved = new Saved({ tab: memoryStore(), device: memoryStore() });
    for (let index = 0; index < 20; index++) saved.addRecent(`room-${index}`);
    saved.addRecent("room-15");
    expect(saved.recent).toHaveLength(12);
    expect(saved.recent.slice(0, 2)).toEqual(["room-15", "room-19"]);
  });

  it("knows how far was read, and forgets it with the user", () => {
    const saved = new Saved({ tab: memoryStore(), device: memoryStore() });
    for (let index = 0; index < 600; index++) saved.setReadMark(`room-${index}`, index);
    expect([saved.readMark("room-599"), saved.readMark("room-1")]).toEqual([599, undefined]);
    saved.token = "jwt";
    saved.forgetUser();
    expect([saved.readMark("room-599"), saved.token, saved.session]).toEqual([undefined, undefined, undefined]);
  });

  it("is nothing when something else wrote there", () => {
    const [tab, device] = [memoryStore(), memoryStore()];
    for (const name of ["rooms", "read", "profile", "recent", "theme"]) {
      for (const store of [tab, device]) store.setItem(`baccarat.${name}`, '{"broken');
    }
    const saved = new Saved({ tab, device });
    expect([saved.rooms, saved.recent, saved.profile, saved.theme, saved.readMark("a")]).toEqual([
      [],
      [],
      undefined,
      undefined,
      undefined,
    ]);
  });
});
