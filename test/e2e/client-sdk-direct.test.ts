import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RoomClient } from "../../client/src/index.ts";
import { RoomClientError } from "../../client/src/types.ts";
import type { TestClient } from "../support/client.ts";
import { eventually } from "../support/eventually.ts";
import { live, useSdk } from "../support/sdk.ts";

const full = process.env.TEST_FULL === "1";
const sdk = useSdk();
const { connect, other } = sdk;

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

describe("direct messages of a RoomClient", () => {
  it("hears the direct messages it missed, of conversations it knew and others, exactly once and in order", async () => {
    const [ann, bob, cyd] = [connect({ username: "ann" }), connect({ username: "bob" }), await other()];
    await Promise.all([live(ann), live(bob)]);
    const heard = directSeqs(bob);
    const toBob = ann.direct(bob.self?.uid ?? "");
    const sent = [(await toBob.send("before")).seq];
    await eventually("the first message", () => heard.length === 1);
    const away = bob.self?.uid;
    sdk.proxy.refuse();
    // Ann is behind the same proxy: others write meanwhile.
    for (const text of ["one", "two"])
      sent.push((await cyd.request("send_message", { to_uid: away, message: text })).seq);
    sdk.proxy.heal();
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
    sdk.proxy.refuse();
    for (let index = 0; index < 130; index++) sent.push(await write(ann));
    for (let index = 0; index < 10; index++) sent.push(await write(cyd));
    sdk.proxy.heal();
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
});

/** What others write, and what happens to the connection meanwhile. */
interface Act {
  readonly ann: number;
  readonly cyd: number;
  readonly fault: "none" | "reset" | number;
}

const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.record({
    ann: fc.integer({ min: 0, max: 4 }),
    cyd: fc.integer({ min: 0, max: 2 }),
    fault: fc.oneof(fc.constantFrom("none" as const, "reset" as const), fc.integer({ min: 1, max: 3_000 })),
  }),
  { minLength: 1, maxLength: 8 },
);

describe("whatever the cuts", () => {
  it(
    "a RoomClient hears every direct message once, and those of each conversation in order",
    async () => {
      await fc.assert(
        fc.asyncProperty(acts, async (script) => {
          const bob = connect();
          await live(bob);
          const [ann, cyd] = [await other(), await other()];
          const heard: number[] = [];
          const ordered: boolean[] = [];
          const last = new Map<string, number>();
          bob.on("direct", ({ event, room }) => {
            heard.push(event.seq);
            ordered.push(event.seq > (last.get(room.id) ?? 0));
            last.set(room.id, event.seq);
          });
          const sent: Promise<number>[] = [];
          const write = async (from: TestClient) =>
            (await from.request("send_message", { to_uid: bob.self?.uid, message: "x" })).seq;
          for (const { fault, ...act } of script) {
            if (typeof fault === "number") sdk.proxy.cutAfter(fault);
            for (let index = 0; index < act.ann; index++) sent.push(write(ann));
            for (let index = 0; index < act.cyd; index++) sent.push(write(cyd));
            if (fault === "reset") sdk.proxy.reset();
            await Promise.all(sent);
          }
          sdk.proxy.heal();
          const expected = (await Promise.all(sent)).toSorted((a, b) => a - b);
          await eventually("everything to be heard", () => heard.length >= expected.length, { state: () => heard });
          expect(heard.toSorted((a, b) => a - b)).toEqual(expected);
          expect(ordered).not.toContain(false);
          bob.close();
          await Promise.all([ann.close(), cyd.close()]);
        }),
        { numRuns: full ? 150 : 15 },
      );
    },
    full ? 600_000 : 90_000,
  );
});
