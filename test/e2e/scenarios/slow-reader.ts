import { describe, expect, it } from "vitest";
import type { TestClient } from "../../support/client.ts";
import { Crowd, newRoom, seqsSeen } from "../../support/crowd.ts";
import { eventually } from "../../support/eventually.ts";
import { RpcClient } from "../../support/rpc.ts";
import type { Topology } from "../../support/topology.ts";

/** How long a client may not read before it is closed, in milliseconds, and what a busy machine adds. */
const CLOSED_WITHIN_MS = 10_000;
const SLACK_MS = 5_000;
/** 1,200 messages of 16 KiB are more than the kernel's buffers and the outbox hold. */
const MESSAGES = 1_200;
const TEXT = "\u{1f600}".repeat(4_000);

/** A client that does not read costs little, is closed, and nobody else notices. */
export function slowReader(topology: Topology): void {
  describe("a client that does not read", { concurrent: true, timeout: 60_000 }, () => {
    it("is given up in time, while the others get everything", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("slow");
      const rpc = new RpcClient(topology.rpcs[0] ?? "");
      const [ann, bob, slow] = [await crowd.join(room), await crowd.join(room), await crowd.join(room)];
      slow.pause();
      const seqs = await flood(ann, room);
      await eventually(
        "the server to give up the client that does not read",
        async () => {
          const { clients } = await rpc.call<{ clients?: object[] }>("AdminService/ListClients", { uid: slow.uid });
          return clients === undefined || clients.length === 0;
        },
        { withinMs: CLOSED_WITHIN_MS + SLACK_MS },
      );
      await bob.next("new_message", (message) => message.seq === seqs.at(-1), { what: "the last one" });
      expect(seqsSeen(bob, room)).toEqual(seqs);
      slow.resume();
      expect([4001, 1006]).toContain((await slow.closing()).code);
      expect(seqsSeen(slow, room)).toEqual(seqs.slice(0, seqsSeen(slow, room).length));
    });

    it("sees why when it reads again in time, and has had no hole until then", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("resumes");
      const [ann, slow] = [await crowd.join(room), await crowd.join(room)];
      const ended = eventually("the end", () => !slow.isOpen || seqsSeen(slow, room).length === MESSAGES, {
        withinMs: 30_000,
      });
      slow.pause();
      const seqs = await flood(ann, room);
      slow.resume();
      await ended;
      const seen = seqsSeen(slow, room);
      expect(seen).toEqual(seqs.slice(0, seen.length));
      if (!slow.isOpen) expect((await slow.closing()).code).toBe(4001);
    });
  });
}

/** Sends a bounded number at a time, so that the flood itself is within the server's limits; returns all seqs. */
async function flood(client: TestClient, room: string): Promise<number[]> {
  const seqs: number[] = [];
  while (seqs.length < MESSAGES) {
    const acks = await Promise.all(Array.from({ length: 20 }, () => client.say(room, TEXT)));
    seqs.push(...acks.map((ack) => ack.seq));
  }
  return seqs;
}
