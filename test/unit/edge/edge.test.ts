import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Edge } from "../../../edge/edge.ts";
import { FrameError, TestClient } from "../../support/client.ts";
import { InProcess } from "./in-process.ts";

let product: InProcess;
let edge: Edge;
let other: Edge;
let rooms = 0;

beforeAll(async () => {
  product = await InProcess.start();
  edge = await product.edge();
  other = await product.edge();
});
afterAll(async () => {
  await product[Symbol.asyncDispose]();
});

const newRoom = (): string => `room-${++rooms}`;

async function member(room: string, at: Edge = edge, payload: object = {}): Promise<TestClient> {
  const client = await product.client(at);
  await client.request("join_room", { room_id: room, ...payload });
  return client;
}

function reason(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "ok",
    (error: unknown) => (error instanceof FrameError ? error.payload.code : String(error)),
  );
}

const seqs = (events: readonly { payload: { seq: number } }[]): number[] => events.map(({ payload }) => payload.seq);

describe("joining", () => {
  it("happens by itself, in the default room, and then one can speak", async () => {
    const client = await TestClient.connect(edge.url, { query: {} });
    client.send("send_message", { message: "sdfsdf", from: "percy" });
    const { payload } = await client.next("new_message");
    expect(payload).toMatchObject({ room_id: "general", message: "sdfsdf", from: "percy", uid: client.uid });
    expect(client.frames.map((frame) => frame.type)).toEqual(["welcome", "room_joined", "new_message"]);
    await client.close();
  });

  it("happens without a first frame too, in the room of the URL", async () => {
    const client = await TestClient.connect(edge.url, {
      query: { room_id: "lobby", username: "Ann", avatar_id: "a1" },
    });
    const { payload } = await client.next("room_joined");
    expect(payload).toMatchObject({ room_id: "lobby", count: 1, events: [], recovered: false });
    expect(payload.members).toMatchObject([{ uid: client.uid, username: "Ann", avatar_id: "a1" }]);
    await client.close();
  });

  it("says why it cannot happen by itself", async () => {
    await product.createRoom("secret", { private: true });
    const client = await TestClient.connect(edge.url, { query: { room_id: "secret" } });
    const { payload } = await client.next("error");
    expect(payload).toMatchObject({ code: "permission_denied", request_type: "join_room" });
    await client.close();
  });

  it("shows what was said lately", async () => {
    const room = newRoom();
    const ann = await member(room);
    const said: number[] = [];
    for (const text of ["a", "b", "c"]) said.push((await ann.say(room, text)).seq);
    for (const at of [edge, other, edge]) {
      const bob = await product.client(at);
      const joined = await bob.request("join_room", { room_id: room, history: 2 });
      expect(seqs(joined.events)).toEqual(said.slice(1));
      expect(joined).toMatchObject({ recovered: false });
      expect(joined.seq).toBeGreaterThanOrEqual(said[2] ?? 0);
    }
  });

  it("recovers exactly what was missed, at any edge", async () => {
    const room = newRoom();
    const ann = await member(room);
    const bob = await member(room, other);
    const { seq: first } = await ann.say(room, "first");
    await bob.next("new_message");
    await bob.close();
    const missed = [(await ann.say(room, "second")).seq, (await ann.say(room, "third")).seq];
    const { epoch } = await ann.request("join_room", { room_id: room });
    for (const at of [edge, other]) {
      const again = await product.client(at);
      const joined = await again.request("join_room", { room_id: room, since: { epoch, seq: first } });
      expect(joined).toMatchObject({ recovered: true });
      expect(seqs(joined.events)).toEqual(missed);
    }
  });

  it("says why it does not recover, and shows the latest instead when asked", async () => {
    const room = newRoom();
    const ann = await member(room);
    const { seq } = await ann.say(room, "hello");
    const joined = await ann.request("join_room", { room_id: room, since: { epoch: "other", seq }, history: 5 });
    expect(joined).toMatchObject({ recovered: false, reason: "epoch_changed" });
    expect(seqs(joined.events)).toEqual([seq]);
    const { epoch } = joined;
    const beyond = await ann.request("join_room", { room_id: room, since: { epoch, seq: seq + 1_000_000 } });
    expect(beyond).toMatchObject({ recovered: false, reason: "unknown_position", events: [] });
  });

  it("leaves neither hole nor duplicate while others speak", async () => {
    const room = newRoom();
    const ann = await product.client(edge, { query: { room_id: "" } });
    await ann.request("join_room", { room_id: room });
    const said: Promise<{ seq: number }>[] = [];
    const joins = Array.from({ length: 12 }, async (_, index) => {
      for (let n = 0; n < 2; n++) said.push(ann.say(room, `m${index}.${n}`));
      const bob = await product.client(index % 2 ? edge : other);
      const joined = await bob.request("join_room", { room_id: room, history: 300 });
      return { bob, joined };
    });
    const newcomers = await Promise.all(joins);
    const all = (await Promise.all(said)).map(({ seq }) => seq).sort((a, b) => a - b);
    for (const { bob, joined } of newcomers) {
      const last = all.at(-1) ?? 0;
      if (joined.seq < last) await bob.next("new_message", ({ seq }) => seq === last);
      expect([...seqs(joined.events), ...seqs(bob.all("new_message"))]).toEqual(all);
    }
  });

  it("once more tells a member what it asks, without disturbing what it hears", async () => {
    const room = newRoom();
    const ann = await member(room);
    const first = await ann.say(room, "a");
    const joined = await ann.request("join_room", { room_id: room, history: 10 });
    const second = await ann.say(room, "b");
    await ann.next("new_message", ({ seq }) => seq === second.seq);
    expect(seqs(joined.events)).toEqual([first.seq]);
    expect(seqs(ann.all("new_message"))).toEqual([first.seq, second.seq]);
    expect(joined.count).toBe(1);
  });

  it("is bounded per connection", async () => {
    const few = await product.edge({ limits: { ...product.limits, maxRoomsPerConnection: 2 } });
    const client = await product.client(few);
    await client.request("join_room", { room_id: "one" });
    await client.request("join_room", { room_id: "two" });
    expect(await reason(client.request("join_room", { room_id: "three" }))).toBe("too_many_rooms");
    await client.request("join_room", { room_id: "two" });
    await client.request("leave_room", { room_id: "one" });
    await client.request("join_room", { room_id: "three" });
  });
});

describe("the current room", () => {
  it("is the one last joined, and the one before when that is left", async () => {
    const client = await product.client(edge);
    expect(await reason(client.request("send_message", { message: "x" }))).toBe("invalid_argument");
    const [one, two] = [newRoom(), newRoom()];
    await client.request("join_room", { room_id: one });
    await client.request("join_room", { room_id: two });
    expect((await client.request("send_message", { message: "x" })).room_id).toBe(two);
    await client.request("leave_room", { room_id: two });
    expect((await client.request("send_message", { message: "x" })).room_id).toBe(one);
    expect(await reason(client.say(two, "x"))).toBe("not_a_member");
    expect(await reason(client.request("leave_room", { room_id: two }))).toBe("not_a_member");
  });

  it("changes by change_room, or stays when that fails", async () => {
    const [one, two] = [newRoom(), newRoom()];
    const client = await member(one);
    await product.createRoom("closed", { private: true });
    expect(await reason(client.request("change_room", { room_id: "closed" }))).toBe("permission_denied");
    expect((await client.request("send_message", { message: "x" })).room_id).toBe(one);
    await client.request("change_room", { room_id: two });
    expect((await client.request("send_message", { message: "x" })).room_id).toBe(two);
    expect(await reason(client.say(one, "x"))).toBe("not_a_member");
    await client.request("change_room", { room_id: two });
    expect((await client.request("send_message", { message: "x" })).room_id).toBe(two);
  });
});

describe("messages", () => {
  it("are acknowledged once stored, and reach every edge in one order", async () => {
    const room = newRoom();
    const [ann, bob] = [await member(room), await member(room, other)];
    const acks = await Promise.all([
      ann.say(room, "1"),
      bob.say(room, "2"),
      ann.say(room, "3"),
      bob.say(room, "4"),
      ann.say(room, "5"),
    ]);
    const all = acks.map(({ seq }) => seq).sort((a, b) => a - b);
    for (const client of [ann, bob]) {
      await client.next("new_message", ({ seq }) => seq === all.at(-1));
      expect(seqs(client.all("new_message"))).toEqual(all);
    }
    const [one, , three, , five] = acks.map(({ seq }) => seq);
    expect([one, three, five]).toEqual([one, three, five].sort((a = 0, b = 0) => a - b));
  });

  it("are stored once however often they are sent", async () => {
    const room = newRoom();
    const ann = await member(room);
    const frame = { room_id: room, message: "once", client_msg_id: "key-1" };
    const first = await ann.request("send_message", frame);
    const again = await ann.request("send_message", frame);
    expect(first).toMatchObject({ duplicate: false });
    expect(again).toMatchObject({ duplicate: true, seq: first.seq, message_id: first.message_id });
    const different = await ann.request("send_message", { ...frame, message: "twice" });
    expect(different).toMatchObject({ duplicate: false });
    await ann.next("new_message", ({ seq }) => seq === different.seq);
    expect(seqs(ann.all("new_message"))).toEqual([first.seq, different.seq]);
  });

  it("need no id, and are not acknowledged then", async () => {
    const room = newRoom();
    const ann = await member(room);
    ann.send("send_message", { room_id: room, message: "x" });
    await ann.next("new_message");
    await ann.request("ping");
    expect(ann.all("ack")).toEqual([]);
  });

  it("are refused by the same rules as everywhere", async () => {
    const room = newRoom();
    const ann = await member(room);
    expect(await reason(ann.say(room, ""))).toBe("invalid_argument");
    expect(await reason(ann.say(room, "x".repeat(4_001)))).toBe("message_too_large");
    expect(await reason(ann.say(room, "x", { image_url: "http://plain" }))).toBe("invalid_argument");
    await product.createRoom("frozen", { frozen: true });
    await ann.request("join_room", { room_id: "frozen" });
    expect(await reason(ann.say("frozen", "x"))).toBe("permission_denied");
    await product.createRoom("slow", { slowModeMs: 60_000 });
    await ann.request("join_room", { room_id: "slow" });
    await ann.say("slow", "x");
    expect(await reason(ann.say("slow", "y"))).toBe("rate_limited");
  });

  it("can be deleted by who wrote them", async () => {
    const room = newRoom();
    const [ann, bob] = [await member(room), await member(room, other)];
    const { seq } = await ann.say(room, "oops");
    expect(await reason(bob.request("delete_message", { room_id: room, seq }))).toBe("permission_denied");
    const ack = await ann.request("delete_message", { room_id: room, seq });
    const { payload } = await bob.next("message_deleted");
    expect(payload).toMatchObject({ deleted_seq: seq, by_uid: ann.uid, seq: ack.seq });
    for (const client of [ann, bob]) {
      const { events } = await client.request("get_history", { room_id: room, limit: 1 });
      expect(events.map(({ type }) => type)).toEqual(["message_deleted"]);
      const page = await client.request("get_history", { room_id: room, limit: 50 });
      expect(seqs(page.events)).toEqual([ack.seq]);
    }
  });

  it("can be read again, in pages and both directions, from what the edge remembers and from the log", async () => {
    const room = newRoom();
    const ann = await member(room);
    const all: number[] = [];
    for (let n = 0; n < 7; n++) all.push((await ann.say(room, `m${n}`)).seq);
    for (const client of [ann, await member(room, other)]) {
      const latest = await client.request("get_history", { room_id: room, limit: 3 });
      expect(seqs(latest.events)).toEqual(all.slice(4));
      expect(latest.has_more).toBe(true);
      const older = await client.request("get_history", { room_id: room, before_seq: all[4], limit: 50 });
      expect(seqs(older.events)).toEqual(all.slice(0, 4));
      expect(older.has_more).toBe(false);
      const newer = await client.request("get_history", { room_id: room, after_seq: all[1], limit: 2 });
      expect(seqs(newer.events)).toEqual(all.slice(2, 4));
      expect(newer.has_more).toBe(true);
    }
    const stranger = await product.client(edge);
    expect(await reason(stranger.request("get_history", { room_id: room }))).toBe("not_a_member");
  });

  it("may be announced by typing, not too often", async () => {
    const room = newRoom();
    const [ann, bob] = [await member(room), await member(room, other)];
    await ann.request("typing", { room_id: room });
    const { payload } = await bob.next("typing");
    expect(payload).toEqual({ room_id: room, uid: ann.uid, username: ann.welcome.username });
    expect(await reason(ann.request("typing", { room_id: room }))).toBe("rate_limited");
    expect(await reason(ann.request("typing", { room_id: newRoom() }))).toBe("not_a_member");
  });
});
