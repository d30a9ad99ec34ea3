import { describe, expect, it } from "vitest";
import type { Broker, StoredEvent } from "../../broker/broker.ts";
import type { NatsBroker } from "../../broker/nats.ts";
import { getNatsServers } from "../../scripts/get-nats-server.ts";
import { RoomError } from "../../services/errors.ts";
import { chainFaults, message, room, say, seqsOf, textOf, textsOf } from "../contract/events.ts";
import { ControlRecorder, Recorder } from "../contract/recorder.ts";
import { eventually } from "../support/eventually.ts";
import { type NatsFixture, useNats } from "../support/nats-fixture.ts";

const ROOMS = [room("lobby"), room("table:7@vip"), room("direct:anna:percy")] as const;
const LANES = 8;
/** A leader's death stalls writes for the election, measured 5 s; a restart of all nodes up to 12 s. */
const HEAL_MS = 30_000;

/** What happens to servers; `since` is the oldest version that survives it. */
interface Faults {
  readonly since: string;
  readonly define: (nats: NatsFixture) => void;
}

const KILLS: Faults = {
  since: "2.9.10",
  define: (nats) => {
    it("loses nothing, repeats nothing and keeps lanes in order when the stream's leader is killed", async () => {
      const broker = await nats.open();
      await survives(broker, async () => {
        const leader = await nats.servers.leader(nats.names.logStream);
        await leader.kill();
        return () => leader.start();
      });
      await nats.servers.ready();
    });

    it("answers unavailable without a majority, and goes on with one", async () => {
      const broker = await nats.open();
      await say(broker, ROOMS[0], "before");
      const leader = await nats.servers.leader(nats.names.logStream);
      const others = nats.servers.nodes.filter((node) => node !== leader);
      await Promise.all(others.map((node) => node.kill()));
      const error = await say(broker, ROOMS[0], "alone").catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(RoomError);
      expect(error).toMatchObject({ reason: "unavailable" });
      await eventually("the broker to be unwell", () => !broker.health().ok, { withinMs: HEAL_MS });
      others[0]?.start();
      await eventually("the broker to be well", () => broker.health().ok, { withinMs: HEAL_MS });
      await retry(() => say(broker, ROOMS[0], "after"));
      others[1]?.start();
      await nats.servers.ready();
      const texts = textsOf((await broker.history(ROOMS[0], { limit: 10 })).events);
      expect([texts[0], texts.at(-1)]).toEqual(["before", "after"]);
    });
  },
};

/**
 * A replica of 2.9 may keep other messages under the same seqs when a leader thaws, and may store a retry twice once all were
 * killed: docs/operations.md.
 */
const FREEZES_AND_BLACKOUTS: Faults = {
  since: "2.10.0",
  define: (nats) => {
    it("loses nothing when all nodes are killed and restarted; everything heals with no restart of ours", async () => {
      const broker = await nats.open();
      const edge = await nats.open({ owner: false });
      const heard = new Recorder();
      await edge.subscribe(ROOMS[0], heard);
      const watch = new ControlRecorder();
      await edge.control.watch(watch);
      await watch.caughtUp();
      await survives(broker, async () => {
        await Promise.all(nats.servers.nodes.map((node) => node.kill()));
        await eventually("both to notice", () => !broker.health().ok && !edge.health().ok);
        expect(watch.caughtUpAfter).toBeUndefined();
        return () => {
          for (const node of nats.servers.nodes) node.start();
        };
      });
      await eventually("the edge to be well", () => edge.health().ok, { withinMs: HEAL_MS });
      await watch.revision(await broker.control.put("after", new Uint8Array([1])));
      const { seq } = await say(broker, ROOMS[0], "after");
      await heard.seq(seq);
      // Live events may be missing; where one is, the next one's predecessor says so, and history has it.
      expect(chainFaults(await filled(edge, heard.events))).toEqual([]);
      await nats.servers.ready();
    });

    it("loses nothing, repeats nothing and keeps lanes in order when the leader freezes and comes back", async () => {
      const broker = await nats.open();
      await survives(broker, async () => {
        const leader = await nats.servers.leader(nats.names.logStream);
        leader.pause();
        return () => leader.resume();
      });
      await nats.servers.ready();
    });
  },
};

const binaries = await getNatsServers(process.env);
for (const faults of [KILLS, FREEZES_AND_BLACKOUTS]) {
  const able = binaries.filter(({ version }) => version.localeCompare(faults.since, "en", { numeric: true }) >= 0);
  // The oldest that should survive it is the one that is most likely not to.
  for (const binary of process.env.TEST_FULL ? able : able.slice(0, 1)) {
    describe(`a cluster of nats-server ${binary.version}`, { timeout: 120_000 }, () => {
      faults.define(useNats({ size: 3, binary }));
    });
  }
}

/**
 * Publishes in lanes, each message again and again until it is acknowledged, while a fault happens; then compares what
 * was acknowledged with what history and a tail have.
 */
async function survives(broker: NatsBroker, fault: () => Promise<() => void>): Promise<void> {
  const tailed = new Recorder();
  await broker.tail(0, tailed.hear);
  const acked: { room: number; seq: number; text: string }[] = [];
  let going = true;
  const lanes = Array.from({ length: LANES }, async (_, number) => {
    const lane = {};
    const index = number % ROOMS.length;
    const id = ROOMS[index] ?? ROOMS[0];
    for (let count = 0; going; count++) {
      const text = `${number}-${count}`;
      const { seq } = await retry(() => broker.publish(id, message(id, text), { lane, dedupeId: text }));
      acked.push({ room: index, seq, text });
    }
  });
  await eventually("messages to flow", () => acked.length > 500);
  const heal = await fault();
  const atFault = acked.length;
  await eventually("the fault to be felt", () => !broker.health().ok || broker.counts.retried > 0);
  await eventually(
    "messages to flow again, or the fault to be long enough",
    () => broker.counts.failed > 0 || acked.length > atFault + 2_000,
    { withinMs: HEAL_MS },
  );
  heal();
  await eventually("the broker to be well", () => broker.health().ok, { withinMs: HEAL_MS });
  const atHeal = acked.length;
  await eventually("messages to flow after all", () => acked.length > atHeal + 500, { withinMs: HEAL_MS });
  going = false;
  await Promise.all(lanes);

  for (const [index, id] of ROOMS.entries()) {
    const events = await whole(broker, id);
    expect(new Set(seqsOf(events)).size, "nothing is read twice").toBe(events.length);
    const stored = new Map(events.map((event) => [textOf(event), event.seq]));
    expect(stored.size, "nothing is stored twice").toBe(events.length);
    const mine = acked.filter((ack) => ack.room === index);
    expect(mine.filter(({ text, seq }) => stored.get(text) !== seq)).toEqual([]);
    expect(events.length, "nothing is stored that was not acknowledged in the end").toBe(mine.length);
    for (let lane = index; lane < LANES; lane += ROOMS.length) {
      const counts = textsOf(events).flatMap((text) =>
        text.startsWith(`${lane}-`) ? [Number(text.split("-")[1])] : [],
      );
      expect(counts).toEqual(counts.map((_, position) => position));
    }
  }
  const seqs = acked.map(({ seq }) => seq).sort((a, b) => a - b);
  await tailed.seq(seqs.at(-1) ?? 0);
  expect(seqsOf(tailed.events)).toEqual(seqs);
}

async function retry<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof RoomError) || !error.retryable) throw error;
    }
  }
}

async function whole(broker: Broker, id: (typeof ROOMS)[number]): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for (let more = true; more; ) {
    const page = await retry(() => broker.history(id, { after: events.at(-1)?.seq ?? 0, limit: 10_000 }));
    events.push(...page.events);
    more = page.hasMore;
  }
  return events;
}

/** Live events with their holes filled, as an edge does it. */
async function filled(broker: Broker, heard: readonly StoredEvent[]): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for (const stored of heard) {
    const last = events.at(-1)?.seq;
    if (last !== undefined && stored.prevSeq > last) {
      const page = await broker.history(stored.room, { after: last, limit: 10_000 });
      events.push(...page.events.filter(({ seq }) => seq < stored.seq));
    }
    events.push(stored);
  }
  return events;
}
