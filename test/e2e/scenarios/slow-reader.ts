import { describe, expect, it } from "vitest";
import type { TestClient } from "../../support/client.ts";
import { Crowd, newRoom } from "../../support/crowd.ts";
import { eventually } from "../../support/eventually.ts";
import { ThinClient } from "../../support/thin-client.ts";
import type { Topology } from "../../support/topology.ts";

/** How long a client may not read before it is closed, in milliseconds. */
const CLOSED_WITHIN_MS = 10_000;
/** A tenth of the crowd stops reading. */
const CROWD = process.env.TEST_FULL === "1" ? 200 : 20;
const SLOW = CROWD / 10;
const JOINING_AT_ONCE = 20;
/** 1 MB/s: a message of 16 KB every 16 ms. */
const EVERY_MS = 16;
/** What a crowd of this size may cost in all, beside what each slow one may have waiting. */
const MAX_GROWTH_BYTES = 96 * 1024 * 1024;
const MAX_WAITING_BYTES = 1024 * 1024;
const TEXT = "\u{1f600}".repeat(4_000);

/** A client that does not read costs little, is closed, and nobody else notices. */
export function slowReader(topology: Topology): void {
  describe(`${SLOW} of ${CROWD} clients that do not read, at 1 MB/s,`, { timeout: 60_000 }, () => {
    it("are given up with 4001 within 10 s, while the others get everything", async () => {
      await using crowd = new Crowd(topology);
      using members = new DisposableStack();
      const room = newRoom("slow");
      const all: ThinClient[] = [];
      for (let index = 0; index < CROWD; index += JOINING_AT_ONCE) {
        const joining = Array.from({ length: Math.min(JOINING_AT_ONCE, CROWD - index) }, () =>
          ThinClient.join(topology.edges[0] ?? "", room),
        );
        all.push(...(await Promise.all(joining)).map((client) => members.use(client)));
      }
      const [slow, others] = [all.slice(0, SLOW), all.slice(SLOW)];
      const speaker = await crowd.connect();
      await speaker.request("join_room", { room_id: room });
      const memory = () => metric(topology, "process_resident_memory_bytes");
      const overflows = () => metric(topology, "baccarat_outbox_overflows_total");
      const [memoryBefore, overflowsBefore] = [await memory(), await overflows()];
      for (const client of slow) client.pause();
      using talk = new Talk(speaker, room);
      let mostMemory = 0;
      await eventually(
        "all who do not read to be given up",
        async () => {
          mostMemory = Math.max(mostMemory, await memory());
          return (await overflows()) - overflowsBefore === SLOW;
        },
        { withinMs: CLOSED_WITHIN_MS, state: () => ({ said: talk.seqs.length }) },
      );
      for (const client of slow) client.resume();
      expect(await Promise.all(slow.map((client) => client.closeCode()))).toEqual(slow.map(() => 4001));
      await talk.stop();
      await eventually("the last message to reach all others", () =>
        others.every((client) => client.seqs.at(-1) === talk.seqs.at(-1)),
      );
      for (const client of others) expect(client.seqs).toEqual(talk.seqs);
      for (const client of slow) expect(client.seqs).toEqual(talk.seqs.slice(0, client.seqs.length));
      expect(mostMemory - memoryBefore).toBeLessThan(MAX_GROWTH_BYTES + SLOW * MAX_WAITING_BYTES);
    });
  });
}

/** Says one message after the other at 1 MB/s, whatever became of those before, until told to stop. */
class Talk implements Disposable {
  /** Of what was acknowledged, in order. */
  readonly seqs: number[] = [];
  readonly #saying: Promise<void>[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(speaker: TestClient, room: string) {
    const startedAt = performance.now();
    this.#timer = setInterval(() => {
      // A timer that comes late makes up for it.
      while (this.#saying.length * EVERY_MS < performance.now() - startedAt) {
        this.#saying.push(speaker.say(room, TEXT).then(({ seq }) => void this.seqs.push(seq)));
      }
    }, EVERY_MS);
  }

  async stop(): Promise<void> {
    this[Symbol.dispose]();
    await Promise.all(this.#saying);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

async function metric(topology: Topology, name: string): Promise<number> {
  const text = await (await fetch(`${topology.ops[0]}/metrics`)).text();
  const [, value] = new RegExp(`^${name} (\\S+)$`, "m").exec(text) ?? [];
  if (value === undefined) throw new Error(`no ${name} among the metrics`);
  return Number(value);
}
