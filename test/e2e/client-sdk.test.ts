import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { RoomClient, type RoomClientOptions } from "../../client/src/index.ts";
import type { Room } from "../../client/src/room.ts";
import { RoomClientError, type RoomEvent } from "../../client/src/types.ts";
import { TestClient } from "../support/client.ts";
import { eventually } from "../support/eventually.ts";
import { RpcClient } from "../support/rpc.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { NO_TRAFFIC_LIMITS, singleProcess } from "../support/topology.ts";

const full = process.env.TEST_FULL === "1";
const topology = singleProcess(NO_TRAFFIC_LIMITS);
let proxy: TcpProxy;
let clients: RoomClient[] = [];
let rooms = 0;

beforeAll(() => topology.start());
afterAll(() => topology.stop());
beforeEach(async () => {
  proxy = await TcpProxy.start(Number(new URL(topology.edges[0] ?? "").port));
});
afterEach(async () => {
  for (const client of clients) client.close();
  clients = [];
  await proxy.close();
});

/** A client behind the proxy, which comes back without much delay. */
function connect(options: RoomClientOptions = {}): RoomClient {
  const client = new RoomClient(`ws://127.0.0.1:${proxy.port}/ws`, {
    random: () => 0.05,
    requestTimeoutMs: 2_000,
    ...options,
  });
  clients.push(client);
  return client;
}

const freshRoom = (): string => `sdk-${++rooms}`;
const live = (client: RoomClient): Promise<unknown> =>
  eventually("the client to be live", () => client.state.name === "live", { state: () => client.state });

/** Somebody else, who is not behind the proxy. */
const other = async (): Promise<TestClient> => {
  const client = await TestClient.connect(topology.edges[0] ?? "");
  await client.next("welcome");
  return client;
};

/** A guest's session, to come back with; the client is live then. */
const sessionOf = (client: RoomClient): Promise<string> =>
  new Promise((resolve) => client.on("session", (session) => queueMicrotask(() => resolve(session))));

/** `ok`, or why not. */
const attempt = (sent: Promise<unknown>): Promise<string> =>
  sent.then(
    () => "ok",
    (error: unknown) => (error instanceof RoomClientError ? error.code : String(error)),
  );

/** Positions of the direct messages a client hears. */
function directSeqs(client: RoomClient): number[] {
  const seqs: number[] = [];
  client.on("direct", ({ event }) => seqs.push(event.seq));
  return seqs;
}

/** What a listener of the room hears, as it would show it. */
function transcript(room: Room): { readonly seqs: number[]; readonly resets: string[] } {
  const heard = { seqs: [] as number[], resets: [] as string[] };
  room.on("event", (event) => heard.seqs.push(event.seq));
  room.on("reset", ({ reason, events }) => {
    heard.resets.push(reason);
    heard.seqs.length = 0;
    heard.seqs.push(...events.map((event) => event.seq));
  });
  return heard;
}

describe("RoomClient", () => {
  it("joins, sends and hears", async () => {
    const client = connect({ username: "percy" });
    const { room, events } = await client.join(freshRoom());
    expect(events).toEqual([]);
    const heard: string[] = [];
    room.on("message", (message) => heard.push(`${message.username}: ${message.message}`));
    const stored = await room.send("hello");
    expect(stored).toMatchObject({ roomId: room.id, message: "hello" });
    await eventually("the message to be heard", () => heard.length > 0);
    expect(heard).toEqual(["percy: hello"]);
    expect((await room.history()).events.map((event) => event.seq)).toEqual([stored.seq]);
    expect(await room.members()).toMatchObject({ count: 1, members: [{ username: "percy" }] });
  });

  it("hands out events as an async iterator", async () => {
    const { room } = await connect().join(freshRoom());
    const taken: string[] = [];
    const reading = (async () => {
      for await (const message of room.iterate("message")) if (taken.push(message.message) === 3) return;
    })();
    for (const text of ["a", "b", "c"]) await room.send(text);
    await reading;
    expect(taken).toEqual(["a", "b", "c"]);
  });

  it("keeps what is sent while offline, in order, and sends it once back", async () => {
    const { room } = await connect().join(freshRoom());
    proxy.refuse();
    const sent = ["one", "two", "three"].map((text) => room.send(text));
    proxy.heal();
    const seqs = (await Promise.all(sent)).map((message) => message.seq);
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    expect((await texts(room)).map((event) => event)).toEqual(["one", "two", "three"]);
  });

  it("refuses what exceeds its queue", async () => {
    const { room } = await connect({ maxQueued: 2 }).join(freshRoom());
    proxy.refuse();
    const kept = [room.send("one"), room.send("two")];
    await expect(room.send("three")).rejects.toMatchObject({ code: "queue_full" });
    proxy.heal();
    await Promise.all(kept);
  });

  it("comes back as the same guest and tells how many events it recovered", async () => {
    const client = connect();
    const { room } = await client.join(freshRoom());
    const uid = client.self?.uid;
    const other = await TestClient.connect(topology.edges[0] ?? "", { query: { room_id: room.id } });
    await other.next("room_joined");
    const heard = transcript(room);
    const recovered = new Promise<number>((resolve) => room.on("recovered", ({ count }) => resolve(count)));
    proxy.refuse();
    for (const text of ["a", "b", "c"]) await other.say(room.id, text);
    proxy.heal();
    expect(await recovered).toBe(3);
    expect(heard.seqs).toHaveLength(3);
    expect(client.self?.uid).toBe(uid);
    await other.close();
  });

  it("says reset, with the latest events, when too much was missed", async () => {
    const { room } = await connect().join(freshRoom(), { history: 10 });
    const other = await TestClient.connect(topology.edges[0] ?? "", { query: { room_id: room.id } });
    await other.next("room_joined");
    const heard = transcript(room);
    proxy.refuse();
    await Promise.all(Array.from({ length: 301 }, (_, index) => other.say(room.id, `${index}`)));
    proxy.heal();
    await eventually("the reset", () => heard.resets.length > 0);
    expect(heard.resets).toEqual(["too_many"]);
    expect(heard.seqs).toHaveLength(10);
    await other.close();
  });

  it("stays away when the server says so", async () => {
    const client = connect();
    const { room } = await client.join(freshRoom());
    await new RpcClient(topology.rpcs[0] ?? "").call("AdminService/DisconnectClients", { uid: client.self?.uid });
    await eventually("the client to stop", () => client.state.name === "closed", { state: () => client.state });
    expect(client.state).toMatchObject({ code: 4503 });
    await expect(room.send("x")).rejects.toBeInstanceOf(RoomClientError);
  });

  it("tells that a room is gone and keeps the others", async () => {
    const client = connect();
    const { room } = await client.join(freshRoom());
    const { room: kept } = await client.join(freshRoom());
    const left = new Promise((resolve) => room.on("left", resolve));
    await new RpcClient(topology.rpcs[0] ?? "").call("RoomService/KickMember", {
      roomId: room.id,
      uid: client.self?.uid,
      reason: "enough",
    });
    expect(await left).toEqual({ reason: "enough", by: "service:local" });
    await kept.send("still here");
  });

  it("talks to one user", async () => {
    const [ann, bob] = [connect({ username: "ann" }), connect({ username: "bob" })];
    await Promise.all([live(ann), live(bob)]);
    const heard = new Promise<RoomEvent>((resolve) => bob.on("direct", ({ event }) => resolve(event)));
    await ann.direct(bob.self?.uid ?? "").send("psst");
    expect(await heard).toMatchObject({ kind: "message", message: { message: "psst", username: "ann" } });
  });

  it("hears the direct messages it missed, of conversations it knew and others, exactly once and in order", async () => {
    const [ann, bob, cyd] = [connect({ username: "ann" }), connect({ username: "bob" }), await other()];
    await Promise.all([live(ann), live(bob)]);
    const heard = directSeqs(bob);
    const toBob = ann.direct(bob.self?.uid ?? "");
    const sent = [(await toBob.send("before")).seq];
    await eventually("the first message", () => heard.length === 1);
    const away = bob.self?.uid;
    proxy.refuse();
    // Ann is behind the same proxy: others write meanwhile.
    for (const text of ["one", "two"])
      sent.push((await cyd.request("send_message", { to_uid: away, message: text })).seq);
    proxy.heal();
    await eventually("what was missed", () => heard.length === 3);
    sent.push((await toBob.send("after")).seq);
    await eventually("what came live", () => heard.length === 4);
    expect(heard).toEqual(sent);
    const { conversations } = await bob.conversations();
    expect(conversations.map(({ uid }) => uid)).toEqual([ann.self?.uid, cyd.uid]);
    await cyd.close();
  });

  it("hears all it missed when that is more than the server sends by itself", async () => {
    const bob = connect();
    await live(bob);
    const [ann, cyd] = [await other(), await other()];
    const heard = directSeqs(bob);
    const truncated: unknown[] = [];
    bob.on("truncated", (event) => truncated.push(event));
    const uid = bob.self?.uid;
    const write = async (from: TestClient) => (await from.request("send_message", { to_uid: uid, message: "x" })).seq;
    const sent = [await write(ann)];
    await eventually("the first message", () => heard.length === 1);
    proxy.refuse();
    for (let index = 0; index < 130; index++) sent.push(await write(ann));
    for (let index = 0; index < 10; index++) sent.push(await write(cyd));
    proxy.heal();
    await eventually("everything missed", () => heard.length === sent.length, { state: () => heard.length });
    // Each conversation is in order; one that is read by itself may come before another's end.
    expect(heard.toSorted((a, b) => a - b)).toEqual(sent);
    expect(truncated).toEqual([]);
    await Promise.all([ann.close(), cyd.close()]);
  });

  it("goes on in a later run from where the application says it was", async () => {
    const first = connect();
    const session = await sessionOf(first);
    const ann = await other();
    const uid = first.self?.uid;
    const write = async () => (await ann.request("send_message", { to_uid: uid, message: "x" })).seq;
    const heard = directSeqs(first);
    await write();
    await eventually("the first message", () => heard.length === 1);
    const directSince = first.directPosition;
    expect(directSince).toEqual({ epoch: ann.welcome.epoch, seq: heard[0] });
    if (directSince === undefined) return;
    first.close();
    const missed = [await write(), await write()];
    const second = connect({ session, directSince });
    const later = directSeqs(second);
    await eventually("what was missed", () => later.length === 2);
    expect(later).toEqual(missed);
    await ann.close();
  });

  it("tells of conversations that have more than it can say from where on", async () => {
    const first = connect();
    const session = await sessionOf(first);
    const [ann, cyd] = [await other(), await other()];
    const uid = first.self?.uid;
    first.close();
    const write = async (from: TestClient) => await from.request("send_message", { to_uid: uid, message: "x" });
    for (let index = 0; index < 100; index++) await write(ann);
    const { room_id } = await write(cyd);
    const second = connect({ session });
    const told = new Promise((resolve) => second.on("truncated", resolve));
    expect(await told).toEqual({ rooms: [room_id], moreRooms: false });
    await Promise.all([ann.close(), cyd.close()]);
  });

  it("blocks and unblocks", async () => {
    const [ann, bob] = [connect(), connect()];
    await Promise.all([live(ann), live(bob)]);
    const toBob = ann.direct(bob.self?.uid ?? "");
    await toBob.send("hello");
    await bob.block(ann.self?.uid ?? "");
    await eventually("the block", async () => (await attempt(toBob.send("still there?"))) === "permission_denied");
    await bob.unblock(ann.self?.uid ?? "");
    await eventually("the end of the block", async () => (await attempt(toBob.send("again"))) === "ok");
  });

  it("notices a connection that died without a word", async () => {
    const client = connect({ requestTimeoutMs: 300 });
    const { room } = await client.join(freshRoom());
    proxy.swallow();
    const sent = room.send("hello?");
    // Whoever is told that the page is shown again asks whether the connection still answers.
    await eventually("the request to be given up", () => room.queued === 1);
    proxy.heal();
    proxy.reset();
    await sent;
  });
});

interface Act {
  readonly mine: number;
  readonly others: number;
  readonly fault:
    | { readonly kind: "none" }
    | { readonly kind: "reset" }
    | { readonly kind: "cut"; readonly after: number };
}

const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.record({
    mine: fc.integer({ min: 0, max: 3 }),
    others: fc.integer({ min: 0, max: 3 }),
    fault: fc.oneof(
      fc.constant({ kind: "none" } as const),
      fc.constant({ kind: "reset" } as const),
      fc.record({ kind: fc.constant("cut" as const), after: fc.integer({ min: 1, max: 2_500 }) }),
    ),
  }),
  { minLength: 1, maxLength: 6 },
);

describe("whatever the cuts", () => {
  it(
    "hears everything once and in order, and sends everything once and in order",
    async () => {
      await fc.assert(
        fc.asyncProperty(acts, async (script) => {
          const client = connect();
          const { room } = await client.join(freshRoom());
          const other = await TestClient.connect(topology.edges[0] ?? "", { query: { room_id: room.id } });
          await other.next("room_joined");
          const heard = transcript(room);
          const sending: Promise<unknown>[] = [];
          const mine: string[] = [];
          for (const [turn, act] of script.entries()) {
            if (act.fault.kind === "cut") proxy.cutAfter(act.fault.after);
            for (let index = 0; index < act.mine; index++) {
              mine.push(`mine ${turn}.${index}`);
              sending.push(room.send(mine.at(-1) ?? ""));
            }
            for (let index = 0; index < act.others; index++) sending.push(other.say(room.id, `other ${turn}.${index}`));
            if (act.fault.kind === "reset") proxy.reset();
            await Promise.race([
              Promise.all(sending),
              eventually("the act to be over", () => client.state.name === "live"),
            ]);
          }
          proxy.heal();
          await Promise.all(sending);
          const stored = await history(room);
          await eventually(
            "everything stored to be heard",
            () => heard.seqs.at(-1) === stored.at(-1)?.seq || stored.length === 0,
            {
              state: () => ({ heard, stored: stored.map((event) => event.seq) }),
            },
          );
          expect(heard.resets).toEqual([]);
          expect(heard.seqs).toEqual(stored.map((event) => event.seq));
          expect((await texts(room)).filter((text) => text.startsWith("mine"))).toEqual(mine);
          client.close();
          await other.close();
        }),
        { numRuns: full ? 150 : 15 },
      );
    },
    full ? 600_000 : 90_000,
  );
});

async function history(room: Room): Promise<readonly RoomEvent[]> {
  return (await eventually("history to be readable", async () => await room.history({ afterSeq: 0, limit: 300 })))
    .events;
}

async function texts(room: Room): Promise<string[]> {
  return (await history(room)).map((event) => (event.kind === "message" ? event.message.message : event.kind));
}
