import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Edge } from "../../../edge/edge.ts";
import type { Service } from "../../../services/auth.ts";
import { controlKeys } from "../../../services/control-keys.ts";
import { parseUid } from "../../../services/ids.ts";
import { edgeTransport } from "../../../services/room/rpc/edge-transport.ts";
import { FrameError, TestClient } from "../../support/client.ts";
import { eventually } from "../../support/eventually.ts";
import { InProcess } from "./in-process.ts";
import { room as roomId } from "./stored.ts";
import { SwitchedTransport } from "./switched-transport.ts";

/** Deadlines the protocol promises, in milliseconds. */
const CLEAN_LEAVE_MS = 1_000;
const DECISION_MS = 1_000;

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

const newRoom = (): string => `life-${++rooms}`;

async function member(room: string, at: Edge = edge, session?: string): Promise<TestClient> {
  const client = await product.client(at, session ? { query: { room_id: "" }, protocols: protocols(session) } : {});
  await client.request("join_room", { room_id: room });
  return client;
}

const protocols = (session: string) => ["baccarat.v1.json", `session.${session}`];

function reason(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "ok",
    (error: unknown) => (error instanceof FrameError ? error.payload.code : String(error)),
  );
}

function uidOf(client: TestClient) {
  const uid = parseUid(client.uid);
  if (uid === undefined) throw new Error(`${client.uid} is no uid`);
  return uid;
}

describe("presence", () => {
  it("tells members of others, and nobody of itself", async () => {
    const room = newRoom();
    const ann = await member(room);
    const bob = await member(room, other);
    const { payload: joined } = await ann.next("member_joined");
    expect(joined).toEqual({ room_id: room, uid: bob.uid, username: bob.welcome.username, count: 2 });
    expect(await ann.request("get_members", { room_id: room })).toMatchObject({ count: 2, next_page_token: "" });
    await bob.close();
    const { payload: left } = await ann.next("member_left", undefined, { withinMs: CLEAN_LEAVE_MS });
    expect(left).toMatchObject({ uid: bob.uid, count: 1, reason: "left" });
    expect(bob.all("member_joined")).toEqual([]);
    expect(ann.all("member_joined")).toHaveLength(1);
  });

  it("is of users: a second connection neither joins nor leaves", async () => {
    const room = newRoom();
    const watcher = await member(room);
    const user = await product.client(edge);
    await user.request("join_room", { room_id: room });
    await watcher.next("member_joined");
    await user.request("leave_room", { room_id: room });
    await watcher.next("member_left", ({ reason }) => reason === "left", { withinMs: CLEAN_LEAVE_MS });
    await user.request("join_room", { room_id: room });
    await user.request("join_room", { room_id: room });
    await watcher.next("member_joined");
    expect(watcher.all("member_joined")).toHaveLength(2);
    expect(watcher.all("member_left")).toHaveLength(1);
  });

  it("lets a broken connection come back without anybody noticing", async () => {
    const room = newRoom();
    const watcher = await member(room);
    const ann = await member(room);
    await watcher.next("member_joined");
    const { session, uid } = ann.welcome;
    ann.terminate();
    const again = await product.client(other, { query: { room_id: "" }, protocols: protocols(session) });
    await again.request("ping");
    await again.request("join_room", { room_id: room });
    await again.say(room, "still here");
    await watcher.next("new_message", (payload) => payload.uid === uid);
    expect(watcher.all("member_left")).toEqual([]);
    expect(watcher.all("member_joined")).toHaveLength(1);
  });

  it("does not flicker when a connection is replaced", async () => {
    const room = newRoom();
    const watcher = await member(room);
    const ann = await member(room);
    const again = await product.client(other, { query: { room_id: "" }, protocols: protocols(ann.welcome.session) });
    expect(await ann.closing()).toMatchObject({ code: 4504 });
    await again.request("join_room", { room_id: room });
    await again.close();
    await watcher.next("member_left");
    expect(watcher.all("member_joined")).toHaveLength(1);
  });

  it("pages through members the edge does not know by heart", async () => {
    const room = newRoom();
    const clients = await Promise.all([1, 2, 3].map(() => member(room)));
    const [first] = clients;
    const page = await first?.request("get_members", { room_id: room, page_size: 2 });
    const rest = await first?.request("get_members", {
      room_id: room,
      page_size: 2,
      page_token: page?.next_page_token,
    });
    const uids = [...(page?.members ?? []), ...(rest?.members ?? [])].map(({ uid }) => uid);
    expect(uids).toEqual(clients.map(({ uid }) => uid).sort());
  });
});

describe("decisions", () => {
  it("take a user out of a room at every edge at once", async () => {
    const room = newRoom();
    const watcher = await member(room);
    const ann = await member(room, other);
    const { moderation } = product.controlPlane.moderating;
    const service: Service = { kind: "service", name: "test", scopes: new Set(["admin"]) };
    await moderation.kick(service, { room: roomId(room) }, { uid: uidOf(ann), reason: "enough" });
    const { payload } = await ann.next("room_left", undefined, { withinMs: DECISION_MS });
    expect(payload).toEqual({ room_id: room, reason: expect.any(String), by: "service:test" });
    expect(await reason(ann.say(room, "still here?"))).toBe("not_a_member");
    await watcher.next("member_left", ({ uid }) => uid === ann.uid);
    await ann.request("join_room", { room_id: room });
    await watcher.next("member_joined", ({ uid, count }) => uid === ann.uid && count === 2);
  });

  it("close connections for good", async () => {
    const ann = await member(newRoom());
    await product.controlPlane.clients.disconnect({ uid: uidOf(ann) }, "bye now");
    expect(await ann.closing(DECISION_MS)).toEqual({ code: 4503, reason: "bye now" });
  });

  it("let a session have one connection only", async () => {
    const room = newRoom();
    const ann = await member(room);
    const again = await member(room, other, ann.welcome.session);
    expect(await ann.closing()).toMatchObject({ code: 4504 });
    expect(again.uid).toBe(ann.uid);
    expect((await again.say(room, "it is still me")).duplicate).toBe(false);
  });
});

describe("a session", () => {
  it("given by the first frame makes no second guest", async () => {
    const ann = await product.client(edge, { query: { username: "Ann" } });
    const { session, uid } = ann.welcome;
    await ann.close();
    const watcher = await member("general");
    const again = await product.client(other, { query: {} });
    expect(again.uid).not.toBe(uid);
    const welcome = await again.request("login", { session });
    expect(welcome).toMatchObject({ uid, username: "Ann" });
    await again.next("room_joined");
    await watcher.next("member_joined", (payload) => payload.uid === uid);
    expect(watcher.all("member_joined").map(({ payload }) => payload.uid)).toEqual([uid]);
  });

  it("is refused when it is none, or comes late", async () => {
    const ann = await product.client(edge);
    expect(await reason(ann.request("login", { session: "x.y" }))).toBe("unauthenticated");
    await ann.request("ping");
    const { session } = (await product.client(edge)).welcome;
    expect(await reason(ann.request("login", { session }))).toBe("invalid_argument");
    expect(await reason(ann.request("login", { token: "x" }))).toBe("unauthenticated");
    expect(await ann.request("login", {})).toMatchObject({ uid: ann.uid });
    expect(await ann.request("login", { session: ann.welcome.session })).toMatchObject({ uid: ann.uid });
  });
});

describe("direct messages", () => {
  it("reach all connections of both users, at every edge, and nobody else", async () => {
    const [ann, bob, eve] = [await product.client(edge), await product.client(other), await product.client(edge)];
    const ack = await ann.request("send_message", { message: "psst", to_uid: bob.uid });
    const conversation = `direct:${[ann.uid, bob.uid].sort().join(":")}`;
    expect(ack.room_id).toBe(conversation);
    for (const client of [ann, bob]) {
      const { payload } = await client.next("new_message");
      expect(payload).toMatchObject({ room_id: conversation, message: "psst", to_uid: bob.uid, seq: ack.seq });
    }
    const reply = await bob.request("send_message", { message: "what?", room_id: conversation });
    await ann.next("new_message", ({ seq, to_uid }) => seq === reply.seq && to_uid === ann.uid);
    const past = await bob.request("join_room", { room_id: conversation, history: 10 });
    expect(past.events.map(({ payload }) => payload.seq)).toEqual([ack.seq, reply.seq]);
    const page = await bob.request("get_history", { room_id: conversation });
    expect(page.events).toHaveLength(2);
    expect(await reason(eve.request("get_history", { room_id: conversation }))).toBe("permission_denied");
    expect(await reason(eve.say(conversation, "hi"))).toBe("permission_denied");
    expect(await reason(ann.request("send_message", { message: "x", to_uid: ann.uid }))).toBe("invalid_argument");
    expect(await reason(ann.request("send_message", { message: "x", to_uid: "nobody" }))).toBe("invalid_argument");
    expect(eve.all("new_message")).toEqual([]);
  });
});

describe("a connection", () => {
  it("is closed after more than ten bad frames", async () => {
    const client = await product.client(edge);
    for (let n = 0; n < 11; n++) client.sendText("{");
    expect(await client.closing()).toMatchObject({ code: 4500 });
    expect(client.all("error").map(({ payload }) => payload.code)).toEqual(Array(11).fill("bad_frame"));
  });

  it("survives any number of unknown types", async () => {
    const client = await product.client(edge);
    for (let n = 0; n < 20; n++)
      expect(await client.refused("sned_message", {})).toMatchObject({ code: "unknown_type" });
  });

  it("is closed when it sends binary", async () => {
    const client = await product.client(edge);
    client.sendBinary(new Uint8Array([1]));
    expect(await client.closing()).toMatchObject({ code: 1003 });
  });

  it.concurrent("is slowed, then refused, then cut off when it floods", async ({ expect }) => {
    const strict = await product.edge({ limits: { ...product.limits, messagesPerSecond: 20, messageBurst: 40 } });
    const polite = await product.client(strict);
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: 50 }, () => polite.request("ping")));
    expect(performance.now() - startedAt).toBeGreaterThan(400);
    const pushy = await product.client(strict);
    const flooder = await product.client(strict, { onFrame: ({ type }) => type !== "error" });
    const answering = Promise.all(Array.from({ length: 400 }, () => reason(pushy.request("ping"))));
    for (let n = 0; n < 3_000; n++) flooder.send("ping", {});
    const answers = await answering;
    // A burst of 40, and as many as get their turn within 5 s at 20 a second.
    expect(new Set(answers.slice(0, 140))).toEqual(new Set(["ok"]));
    expect(new Set(answers.slice(140))).toContain("rate_limited");
    expect(await flooder.closing()).toMatchObject({ code: 4004 });
    await polite.request("ping");
  });

  it.concurrent("is pinged", { timeout: 15_000 }, async () => {
    const client = await product.client(edge);
    await eventually("a ping", () => client.pings > 0, { withinMs: 9_500 });
  });

  it("is closed with 4001 when it does not read, and nobody else notices", { timeout: 30_000 }, async () => {
    const room = newRoom();
    const [ann, bob] = [await member(room), await member(room, other)];
    const [slow, dead] = [await member(room), await member(room)];
    slow.pause();
    dead.pause();
    const text = "x".repeat(4_000);
    const sent: Promise<unknown>[] = [];
    for (let n = 0; n < 4_000; n++) {
      sent.push(ann.say(room, text));
      if (n % 100 === 99) await Promise.all(sent.splice(0));
    }
    slow.resume();
    expect(await slow.closing()).toEqual({ code: 4001, reason: "slow_consumer" });
    dead.resume();
    await eventually("the last message", () => bob.all("new_message").length === 4_000);
    const { text: metrics } = await product.metrics.render();
    expect(metrics).toContain("baccarat_outbox_overflows_total 2");
  });
});

describe("an edge", () => {
  it("goes on without a control plane, and is in step again afterwards", { timeout: 30_000 }, async () => {
    const observer = { onCall: () => undefined };
    const network = new SwitchedTransport(edgeTransport(product.controlPlane, { observer, log: product.log }));
    const lonely = await product.edge({ transports: [network] });
    await eventually("the edge to be ready", () => lonely.notReady().length === 0);
    const room = newRoom();
    const [ann, bob] = [await member(room, lonely), await member(room, lonely)];
    const watcher = await member(room, other);
    await ann.next("member_joined", ({ uid }) => uid === watcher.uid);
    network.cut();
    const ack = await ann.say(room, "anybody?");
    await bob.next("new_message", ({ seq }) => seq === ack.seq);
    await watcher.next("new_message", ({ seq }) => seq === ack.seq);
    await ann.request("typing", { room_id: room });
    const page = await ann.request("get_history", { room_id: room, before_seq: ack.seq + 1, limit: 1 });
    expect(page.events).toHaveLength(1);
    const refused = [
      reason(ann.request("join_room", { room_id: newRoom() })),
      reason(bob.request("delete_message", { room_id: room, seq: ack.seq })),
    ];
    expect(await Promise.all(refused)).toEqual(["unavailable", "unavailable"]);
    await watcher.close();
    await bob.request("leave_room", { room_id: room });
    expect(lonely.notReady()).toEqual([]);
    network.restore();
    await ann.next("member_left", ({ uid }) => uid === watcher.uid);
    await ann.next("member_left", ({ uid }) => uid === bob.uid);
    expect(await reason(ann.request("join_room", { room_id: newRoom() }))).toBe("ok");
    expect((await ann.request("get_members", { room_id: room })).members.map(({ uid }) => uid)).toEqual([ann.uid]);
  });

  it("does not let a short break of the link be noticed", async () => {
    const observer = { onCall: () => undefined };
    const network = new SwitchedTransport(edgeTransport(product.controlPlane, { observer, log: product.log }));
    const shaky = await product.edge({ transports: [network] });
    const client = await product.client(shaky);
    await eventually("the edge to be ready", () => shaky.notReady().length === 0);
    network.cut();
    const joined = client.request("join_room", { room_id: newRoom() });
    network.restore();
    await joined;
  });

  it("closes its connections with 4003 when it was given up, and takes new ones", async () => {
    const doomed = await product.edge({ edgeId: "doomed" });
    const room = newRoom();
    const ann = await member(room, doomed);
    const incarnation = ann.welcome.client_id.split("-")[0] ?? "";
    await product.broker.control.create(controlKeys.fence(incarnation), new Uint8Array());
    expect(await ann.closing()).toMatchObject({ code: 4003 });
    const again = await member(room, doomed);
    expect(again.welcome.client_id.split("-")[0]).not.toBe(incarnation);
    await again.say(room, "hello again");
  });

  it("answers what is under way before it stops, and closes with 1012", async () => {
    const room = newRoom();
    const stopping = await product.edge();
    const [ann, watcher] = [await member(room, stopping), await member(room, other)];
    const acks = Array.from({ length: 20 }, (_, n) => ann.say(room, `m${n}`));
    await eventually("the first one to be stored", () => watcher.all("new_message").length > 0);
    const stopped = stopping.close();
    expect(stopping.notReady()).toEqual(["draining"]);
    const settled = await Promise.allSettled(acks);
    expect(await ann.closing()).toMatchObject({ code: 1012 });
    await stopped;
    const stored = settled.filter(({ status }) => status === "fulfilled").length;
    await eventually("what was acknowledged", () => watcher.all("new_message").length >= stored);
    expect(watcher.all("member_left")).toEqual([]);
    await expect(TestClient.connect(stopping.url)).rejects.toThrow();
  });
});
