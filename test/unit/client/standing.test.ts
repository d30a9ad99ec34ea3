import { describe, expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { joined, SELF } from "../../support/scripted-edge.ts";
import { useScriptedEdge } from "./scripted.ts";

const bench = useScriptedEdge();
const DEFAULTS = { title: "", frozen: false, slow_mode_ms: 0, private: false, capacity: 0, metadata: {} };
const UNTIL = "2999-12-04T01:35:59.834Z";

describe("how things stand in a room", () => {
  it("is what the join says, and what is pushed later", async () => {
    const joining = bench.connect().join("lobby");
    const visit = await bench.edge.welcomed();
    const settings = { ...DEFAULTS, room_id: "lobby", title: "Table 7", metadata: { game_kind: "x" } };
    visit.push(
      joined(await visit.next("join_room"), 7, { settings, moderator: true, muted: true, muted_until: UNTIL }),
    );
    const { room } = await joining;
    expect(room.settings).toMatchObject({ title: "Table 7", slowModeMs: 0, metadata: { game_kind: "x" } });
    expect(room.moderator).toBe(true);
    expect(room.muted).toEqual({ until: UNTIL });
    const told: unknown[] = [];
    room.on("updated", ({ frozen }) => told.push({ frozen }));
    room.on("muted", ({ uid, muted }) => told.push({ uid, muted }));
    const about = { room_id: "lobby", by: "mo" };
    visit.push(
      { type: "room_updated", payload: { ...settings, frozen: true } },
      { type: "member_unmuted", payload: { ...about, uid: SELF, until: null } },
      { type: "member_muted", payload: { ...about, uid: "guest-other", until: null } },
    );
    await eventually("all three", () => told.length === 3);
    expect(told).toEqual([{ frozen: true }, { uid: SELF, muted: false }, { uid: "guest-other", muted: true }]);
    expect(room.settings.frozen).toBe(true);
    expect(room.muted).toBeUndefined();
  });

  it("is the defaults where nothing is said, and a mute that has ended by itself is none", async () => {
    const joining = bench.connect().join("lobby");
    const visit = await bench.edge.welcomed();
    visit.push(joined(await visit.next("join_room"), 7, { muted: true, muted_until: "2023-12-04T01:35:59.834Z" }));
    const { room } = await joining;
    expect(room.settings).toMatchObject({ roomId: "lobby", title: "", frozen: false });
    expect(room.moderator).toBe(false);
    expect(room.muted).toBeUndefined();
  });

  it("is told after an absence, when it changed meanwhile", async () => {
    const joining = bench.connect().join("lobby");
    const first = await bench.edge.welcomed();
    first.push(joined(await first.next("join_room"), 7));
    const { room } = await joining;
    const told: unknown[] = [];
    room.on("updated", ({ slowModeMs }) => told.push({ slowModeMs }));
    room.on("muted", (change) => told.push(change));
    const settings = { ...DEFAULTS, room_id: "lobby", slow_mode_ms: 5_000 };
    first.drop();
    const second = await bench.edge.welcomed();
    second.push(joined(await second.next("join_room"), 7, { recovered: true, settings, muted: true }));
    await eventually("both", () => told.length === 2);
    expect(told).toEqual([{ slowModeMs: 5_000 }, { uid: SELF, muted: true, by: "", until: null }]);
    second.drop();
    const third = await bench.edge.welcomed();
    const presence = new Promise((resolve) => room.on("presence", resolve));
    third.push(joined(await third.next("join_room"), 7, { recovered: true, settings, muted: true }));
    await presence;
    await eventually("the join to be over", () => room.joined);
    expect(told).toHaveLength(2);
  });
});
