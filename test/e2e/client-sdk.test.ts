import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Room } from "../../client/src/room.ts";
import { RoomClientError, type RoomEvent } from "../../client/src/types.ts";
import { TestClient } from "../support/client.ts";
import { eventually } from "../support/eventually.ts";
import { RpcClient } from "../support/rpc.ts";
import { live, useSdk } from "../support/sdk.ts";

const full = process.env.TEST_FULL === "1";
const sdk = useSdk();
const { connect } = sdk;
let rooms = 0;

const freshRoom = (): string => `sdk-${++rooms}`;

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

  it("asks what time it is on the server", async () => {
    const client = connect();
    await client.join(freshRoom());
    const before = Date.now();
    const time = await client.serverTime();
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(Date.now());
  });

  it("has a room's snapshot from the join on, through reconnects", async () => {
    const id = freshRoom();
    const set = (snapshot_key: string, data: unknown) =>
      new RpcClient(sdk.rpc).call("RoomService/PublishEvent", { room_id: id, type: "table.state", snapshot_key, data });
    await set("shoe", 1);
    await set("hand", 1);
    const client = connect();
    const { room } = await client.join(id);
    const shown = () => [...room.snapshot].map(([key, { data }]) => `${key} ${data}`).join();
    expect(shown()).toBe("shoe 1,hand 1");
    await set("shoe", 2);
    await eventually("the change", () => shown() === "hand 1,shoe 2");
    sdk.proxy.refuse();
    await set("hand", null);
    await set("phase", "betting");
    sdk.proxy.heal();
    await eventually("what was missed", () => shown() === "shoe 2,phase betting");
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
    sdk.proxy.refuse();
    const sent = ["one", "two", "three"].map((text) => room.send(text));
    sdk.proxy.heal();
    const seqs = (await Promise.all(sent)).map((message) => message.seq);
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    expect((await texts(room)).map((event) => event)).toEqual(["one", "two", "three"]);
  });

  it("refuses what exceeds its queue", async () => {
    const { room } = await connect({ maxQueued: 2 }).join(freshRoom());
    sdk.proxy.refuse();
    const kept = [room.send("one"), room.send("two")];
    await expect(room.send("three")).rejects.toMatchObject({ code: "queue_full" });
    sdk.proxy.heal();
    await Promise.all(kept);
  });

  it("comes back as the same guest and tells how many events it recovered", async () => {
    const client = connect();
    const { room } = await client.join(freshRoom());
    const uid = client.self?.uid;
    const other = await TestClient.connect(sdk.edge, { query: { room_id: room.id } });
    await other.next("room_joined");
    const heard = transcript(room);
    const recovered = new Promise<number>((resolve) => room.on("recovered", ({ count }) => resolve(count)));
    sdk.proxy.refuse();
    for (const text of ["a", "b", "c"]) await other.say(room.id, text);
    sdk.proxy.heal();
    expect(await recovered).toBe(3);
    expect(heard.seqs).toHaveLength(3);
    expect(client.self?.uid).toBe(uid);
    await other.close();
  });

  it("says reset, with the latest events, when too much was missed", async () => {
    const { room } = await connect().join(freshRoom(), { history: 10 });
    const other = await TestClient.connect(sdk.edge, { query: { room_id: room.id } });
    await other.next("room_joined");
    const heard = transcript(room);
    sdk.proxy.refuse();
    await Promise.all(Array.from({ length: 301 }, (_, index) => other.say(room.id, `${index}`)));
    sdk.proxy.heal();
    await eventually("the reset", () => heard.resets.length > 0);
    expect(heard.resets).toEqual(["too_many"]);
    expect(heard.seqs).toHaveLength(10);
    await other.close();
  });

  it("stays away when the server says so", async () => {
    const client = connect();
    const { room } = await client.join(freshRoom());
    await new RpcClient(sdk.rpc).call("AdminService/DisconnectClients", { uid: client.self?.uid });
    await eventually("the client to stop", () => client.state.name === "closed", { state: () => client.state });
    expect(client.state).toMatchObject({ code: 4503 });
    await expect(room.send("x")).rejects.toBeInstanceOf(RoomClientError);
  });

  it("tells that a room is gone and keeps the others", async () => {
    const client = connect();
    const { room } = await client.join(freshRoom());
    const { room: kept } = await client.join(freshRoom());
    const left = new Promise((resolve) => room.on("left", resolve));
    await new RpcClient(sdk.rpc).call("RoomService/KickMember", {
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

  it("notices a connection that died without a word", async () => {
    const client = connect({ requestTimeoutMs: 300 });
    const { room } = await client.join(freshRoom());
    sdk.proxy.swallow();
    const sent = room.send("hello?");
    // Whoever is told that the page is shown again asks whether the connection still answers.
    await eventually("the request to be given up", () => room.queued === 1);
    sdk.proxy.heal();
    sdk.proxy.reset();
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
          const other = await TestClient.connect(sdk.edge, { query: { room_id: room.id } });
          await other.next("room_joined");
          const heard = transcript(room);
          const sending: Promise<unknown>[] = [];
          const mine: string[] = [];
          for (const [turn, act] of script.entries()) {
            if (act.fault.kind === "cut") sdk.proxy.cutAfter(act.fault.after);
            for (let index = 0; index < act.mine; index++) {
              mine.push(`mine ${turn}.${index}`);
              sending.push(room.send(mine.at(-1) ?? ""));
            }
            for (let index = 0; index < act.others; index++) sending.push(other.say(room.id, `other ${turn}.${index}`));
            if (act.fault.kind === "reset") sdk.proxy.reset();
            await Promise.race([
              Promise.all(sending),
              eventually("the act to be over", () => client.state.name === "live"),
            ]);
          }
          sdk.proxy.heal();
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
