import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { TestClient } from "../../support/client.ts";
import { Crowd, texts } from "../../support/crowd.ts";
import { eventually } from "../../support/eventually.ts";
import { type FrameOf, isFrame } from "../../support/frame-types.ts";
import type { Topology } from "../../support/topology.ts";

/** Events delivered to somebody who was away, at most. */
const DELIVERED = 100;

/** Direct messages for those who were away. */
export function catchUp(topology: Topology): void {
  describe("catching up on direct messages", { concurrent: true }, () => {
    it("brings what came while away, once, after a welcome that names the conversations", async () => {
      await using crowd = new Crowd(topology);
      const [ann, cyd, bob] = [await crowd.connect(), await crowd.connect(), await crowd.connect()];
      const first = await tell(ann, bob, "while here");
      await bob.next("new_message");
      await bob.close();
      const missed = [await tell(ann, bob, "one"), await tell(cyd, bob, "two"), await tell(ann, bob, "three")];

      const back = await crowd.resume(bob.welcome.session);
      expect(back.welcome.direct.map(({ uid, seq }) => [uid, seq])).toEqual([
        [ann.uid, missed[2]?.seq],
        [cyd.uid, missed[1]?.seq],
      ]);
      expect(back.welcome.direct[0]).toMatchObject({ room_id: first.room_id, username: ann.welcome.username });
      expect(await directSeqs(back, missed.length)).toEqual(missed.map(({ seq }) => seq));
      expect(back.frames.findIndex((frame) => isFrame(frame, "new_message"))).toBeGreaterThan(
        back.frames.findLastIndex((frame) => isFrame(frame, "welcome")),
      );
      const live = await tell(ann, back, "live");
      expect(await directSeqs(back, missed.length + 1)).toEqual([...missed.map(({ seq }) => seq), live.seq]);
      await back.close();

      const again = await crowd.resume(bob.welcome.session);
      await again.request("ping");
      expect(await directSeqs(again, 0)).toEqual([]);
      expect(again.welcome.direct).toHaveLength(2);
    });

    it("brings deletions, and not what was deleted", async () => {
      await using crowd = new Crowd(topology);
      const [ann, bob] = [await crowd.connect(), await crowd.connect()];
      const oops = await tell(ann, bob, "oops");
      await bob.next("new_message");
      await bob.close();
      const kept = await tell(ann, bob, "kept");
      const wiped = await tell(ann, bob, "wiped");
      for (const { seq } of [oops, wiped]) await ann.request("delete_message", { room_id: oops.room_id, seq });
      const back = await crowd.resume(bob.welcome.session);
      await eventually("the deletions", () => back.all("message_deleted").length === 2);
      expect(back.all("new_message").map(({ payload }) => payload.seq)).toEqual([kept.seq]);
      expect(back.all("message_deleted").map(({ payload }) => payload.deleted_seq)).toEqual([oops.seq, wiped.seq]);
    });

    it("begins where the client says, if that is a position of this log", async () => {
      await using crowd = new Crowd(topology);
      const [ann, bob] = [await crowd.connect(), await crowd.connect()];
      const seqs: number[] = [];
      for (const text of ["a", "b", "c"]) seqs.push((await tell(ann, bob, text)).seq);
      await directSeqs(bob, 3);
      const { session, epoch } = bob.welcome;
      await bob.close();
      const since = await crowd.resume(session, {}, { direct_since: { epoch, seq: seqs[0] } });
      expect(await directSeqs(since, 2)).toEqual(seqs.slice(1));
      await since.close();
      seqs.push((await tell(ann, bob, "d")).seq);
      for (const direct_since of [
        { epoch: "another", seq: 0 },
        { epoch, seq: Number.MAX_SAFE_INTEGER },
      ]) {
        const cursor = await crowd.resume(session, {}, { direct_since });
        await cursor.request("ping");
        const isFirst = direct_since.epoch === "another";
        expect(await directSeqs(cursor, isFirst ? 1 : 0)).toEqual(isFirst ? [seqs[3]] : []);
        await cursor.close();
      }
    });

    it("ends after a hundred events with the names of the conversations that have more", async () => {
      await using crowd = new Crowd(topology);
      const [ann, cyd, bob] = [await crowd.connect(), await crowd.connect(), await crowd.connect()];
      await bob.request("ping");
      await bob.close();
      const early = await tell(cyd, bob, "early");
      const stored = [early.seq];
      for (let index = 0; index < DELIVERED + 20; index++) stored.push((await tell(ann, bob, `${index}`)).seq);
      const { room_id } = await tell(ann, bob, "last");

      const back = await crowd.resume(bob.welcome.session);
      const { payload } = await back.next("truncated");
      expect(payload).toMatchObject({ epoch: back.welcome.epoch, rooms: [room_id], more_rooms: false });
      const delivered = await directSeqs(back, DELIVERED);
      expect(delivered).toEqual(stored.slice(0, DELIVERED));
      const rest = await back.request("get_history", { room_id, after_seq: delivered.at(-1), limit: 300 });
      expect(texts(rest)).toEqual([...Array.from({ length: 21 }, (_, index) => `${index + 99}`), "last"]);
      expect(payload.seq).toBeGreaterThanOrEqual(rest.events.at(-1)?.payload.seq ?? 0);
    });

    it("meets what comes live without hole or duplicate", { timeout: 60_000 }, async () => {
      await using crowd = new Crowd(topology);
      const [ann, bob] = [await crowd.connect(), await crowd.connect()];
      const { room_id } = await tell(ann, bob, "first");
      const heard = [...(await directSeqs(bob, 1))];
      let session = bob.welcome.session;
      let current = bob;
      let writing = true;
      const writer = (async () => {
        // Slower than what a hundred events of catching up take.
        for (let index = 0; writing; index++) await Promise.all([tell(ann, bob, `${index}`), delay(10)]);
      })();
      for (let round = 0; round < 4; round++) {
        await current.close();
        heard.push(...seqsOf(current).filter((seq) => !heard.includes(seq)));
        const direct_since = { epoch: bob.welcome.epoch, seq: heard.at(-1) ?? 0 };
        current = await crowd.resume(session, {}, { direct_since });
        session = current.welcome.session;
        const before = seqsOf(current).length;
        await eventually("live messages", () => seqsOf(current).length > before + 5);
      }
      writing = false;
      await writer;
      const last = await tell(ann, bob, "end");
      await eventually("the last message", () => seqsOf(current).includes(last.seq));
      expect(current.all("truncated")).toEqual([]);
      heard.push(...seqsOf(current));
      const stored: number[] = [];
      for (let more = true; more; ) {
        const page = await ann.request("get_history", { room_id, after_seq: stored.at(-1) ?? 0, limit: 300 });
        stored.push(...page.events.map(({ payload }) => payload.seq));
        more = page.has_more;
      }
      expect(heard).toEqual(stored);
    });

    it("brings again what a client that vanished may not have read", async () => {
      await using crowd = new Crowd(topology);
      const [ann, bob] = [await crowd.connect(), await crowd.connect()];
      await tell(ann, bob, "read");
      await bob.next("new_message");
      // From here on everything goes into buffers that nobody reads.
      bob.pause();
      const unread = [await tell(ann, bob, "one"), await tell(ann, bob, "two")];
      bob.terminate();
      const back = await crowd.resume(bob.welcome.session);
      await eventually("the unread messages", () => unread.every(({ seq }) => seqsOf(back).includes(seq)));
      expect(seqsOf(back)).toEqual([...new Set(seqsOf(back))].sort((a, b) => a - b));
    });

    it("takes over from the connection it replaces", async () => {
      await using crowd = new Crowd(topology);
      const [ann, bob] = [await crowd.connect(), await crowd.connect()];
      const first = await tell(ann, bob, "heard by the old one");
      await directSeqs(bob, 1);
      const back = await crowd.resume(bob.welcome.session);
      expect((await bob.closing()).code).toBe(4504);
      const second = await tell(ann, back, "heard by the new one");
      await eventually("the new message", () => seqsOf(back).includes(second.seq));
      expect(seqsOf(back)).toEqual([second.seq]);
      expect(first.seq).toBeLessThan(second.seq);
    });

    it("is of nothing for a new guest, who is welcomed at once", async () => {
      await using crowd = new Crowd(topology);
      const client = await crowd.connect();
      expect(client.welcome.direct).toEqual([]);
      const page = await client.request("get_conversations");
      expect(page).toEqual({ conversations: [], next_page_token: "" });
      expect(client.all("truncated")).toEqual([]);
    });
  });
}

function tell(from: TestClient, to: TestClient, message: string) {
  return from.request("send_message", { to_uid: to.uid, message });
}

/** Positions of the direct messages received so far. */
function seqsOf(client: TestClient): number[] {
  return client.all("new_message").map(({ payload }: FrameOf<"new_message">) => payload.seq);
}

/** The same once there are that many. */
async function directSeqs(client: TestClient, count: number): Promise<number[]> {
  return await eventually(`${count} messages`, () => seqsOf(client).length >= count && seqsOf(client), {
    state: () => client.frames,
  });
}
