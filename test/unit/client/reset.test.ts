import { describe, expect, it } from "vitest";
import type { Room } from "../../../client/src/room.ts";
import { eventually } from "../../support/eventually.ts";
import { joined, message, refusal, type ScriptedFrame, SELF, type Visit } from "../../support/scripted-edge.ts";
import { heardIn, useScriptedEdge } from "./scripted.ts";

const bench = useScriptedEdge();

/** A client in a room at seq 7. */
async function inLobby(): Promise<{ room: Room; visit: Visit; heard: (number | string)[] }> {
  const joining = bench.connect().join("lobby", { history: 2 });
  const visit = await bench.edge.welcomed();
  visit.push(joined(await visit.next("join_room"), 7));
  const { room } = await joining;
  return { room, visit, heard: heardIn(room) };
}

function reset(room: string, seq: number): ScriptedFrame {
  return { type: "reset", payload: { room_id: room, epoch: "e1", seq, reason: "too_old" } };
}

const latest = (to: ScriptedFrame): ScriptedFrame =>
  joined(to, 31, { events: [message("lobby", 30, 0), message("lobby", 31, 30)] });

describe("a reset", () => {
  it("loads the latest events and says so before anything newer", async () => {
    const { visit, heard } = await inLobby();
    visit.push(reset("lobby", 30));
    const reload = await visit.next("join_room");
    expect(reload.payload).toEqual({ room_id: "lobby", history: 2 });
    visit.push(latest(reload), message("lobby", 32, 31));
    const more = await visit.next("join_room");
    expect(more.payload.since).toEqual({ epoch: "e1", seq: 31 });
    visit.push(joined(more, 32, { recovered: true, events: [message("lobby", 32, 31)] }));
    await eventually("everything", () => heard.length === 2);
    expect(heard).toEqual(["reset too_old: 30,31", 32]);
  });

  it("whose reload is refused for the moment is loaded when the server says, and told once", async () => {
    const { visit, heard } = await inLobby();
    visit.push(reset("lobby", 30));
    visit.push(refusal(await visit.next("join_room"), "unavailable", true, 20));
    const again = await visit.next("join_room");
    expect(again.payload.since).toBeUndefined();
    visit.push(latest(again));
    await eventually("the reset", () => heard.length > 0);
    expect(heard).toEqual(["reset too_old: 30,31"]);
  });

  it("whose reload loses its connection is loaded on the next one, and told once", async () => {
    const { visit, heard } = await inLobby();
    visit.push(reset("lobby", 30));
    await visit.next("join_room");
    visit.drop();
    const second = await bench.edge.welcomed();
    const again = await second.next("join_room");
    expect(again.payload).toEqual({ room_id: "lobby", history: 2 });
    second.push(latest(again));
    await eventually("the reset", () => heard.length > 0);
    expect(heard).toEqual(["reset too_old: 30,31"]);
    expect(second.untaken).toEqual([]);
  });

  it("whose reload is refused for good is told as `left`, and nothing waits any longer", async () => {
    const { room, visit, heard } = await inLobby();
    visit.push(reset("lobby", 30));
    visit.push(refusal(await visit.next("join_room"), "banned", false));
    await eventually("the end", () => heard.length > 0);
    expect(heard).toEqual(["left banned"]);
    await expect(room.send("hello?")).rejects.toMatchObject({ code: "closed" });
  });

  it("in the middle of a join waits for what that, and what came behind it, still bring", async () => {
    const { visit, heard } = await inLobby();
    // A hole: the room is joined again from where it is known.
    visit.push(message("lobby", 12, 11));
    const refill = await visit.next("join_room");
    expect(refill.payload.since).toEqual({ epoch: "e1", seq: 7 });
    visit.push(reset("lobby", 30));
    const filled = { recovered: true, events: [message("lobby", 11, 7), message("lobby", 12, 11)] };
    visit.push(joined(refill, 12, filled), message("lobby", 13, 12));
    const more = await visit.next("join_room");
    expect(more.payload.since).toEqual({ epoch: "e1", seq: 12 });
    visit.push(joined(more, 13, { recovered: true, events: [message("lobby", 13, 12)] }));
    const reload = await visit.next("join_room");
    expect(reload.payload.since).toBeUndefined();
    visit.push(latest(reload));
    await eventually("the reset", () => heard.length === 4);
    expect(heard).toEqual([11, 12, 13, "reset too_old: 30,31"]);
  });
});

describe("a new epoch", () => {
  const other = "guest-other";
  const conversation = `direct:${other}:${SELF}`;

  it("makes rooms begin anew", async () => {
    const { visit, heard } = await inLobby();
    visit.drop();
    const second = await bench.edge.welcomed({ epoch: "e2" });
    const again = await second.next("join_room");
    expect(again.payload.since).toEqual({ epoch: "e1", seq: 7 });
    const answer = { epoch: "e2", reason: "epoch_changed", events: [message("lobby", 1, 0)] };
    second.push(joined(again, 1, answer));
    await eventually("the reset", () => heard.length > 0);
    expect(heard).toEqual(["reset epoch_changed: 1"]);
  });

  it("makes conversations begin anew, through a connection that breaks meanwhile, and forgets where they were", async () => {
    const client = bench.connect({ session: "secret" });
    const first = await bench.edge.connection();
    const login = async (visit: Visit, epoch: string): Promise<ScriptedFrame> => {
      const frame = await visit.next("login");
      const who = { uid: SELF, username: "self", session: "secret", epoch, heartbeat_ms: 60_000, direct: [] };
      visit.push({ type: "welcome", id: frame.id ?? "", payload: who });
      return frame;
    };
    await login(first, "e1");
    first.push(message(conversation, 5, 0));
    await eventually("the message", () => client.directPosition?.seq === 5);
    const heard = heardIn(client.direct(other));
    first.drop();
    const second = await bench.edge.connection();
    expect((await login(second, "e2")).payload.direct_since).toEqual({ epoch: "e1", seq: 5 });
    expect((await second.next("join_room")).payload).toMatchObject({ room_id: conversation });
    expect(client.directPosition).toBeUndefined();
    second.drop();
    const third = await bench.edge.connection();
    expect((await login(third, "e2")).payload.direct_since).toBeUndefined();
    const reload = await third.next("join_room");
    expect(reload.payload.since).toBeUndefined();
    third.push(joined(reload, 3, { epoch: "e2", events: [message(conversation, 3, 0)] }));
    await eventually("the reset", () => heard.length > 0);
    third.push(message(conversation, 4, 3));
    await eventually("the next message", () => heard.length > 1);
    expect(heard).toEqual(["reset epoch_changed: 3", 4]);
    expect(client.directPosition).toEqual({ epoch: "e2", seq: 4 });
  });
});
