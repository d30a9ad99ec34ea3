import { connect } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { deletion, room, say, sayMany, seqsOf } from "../../contract/events.ts";
import { Recorder } from "../../contract/recorder.ts";
import { eventually } from "../../support/eventually.ts";
import { through, useNats } from "../../support/nats-fixture.ts";

const LOBBY = room("lobby");
const TABLE = room("table:7@vip");

describe("a feed of the log", () => {
  const nats = useNats({ size: 1 });

  async function api(path: string): Promise<Record<string, unknown>> {
    const nc = await connect({ servers: nats.servers.urls });
    const answer = await nc.request(`$JS.API.${path}`);
    await nc.close();
    return answer.json();
  }

  it("goes on without hole or duplicate over broken connections", async () => {
    const proxy = await nats.proxy();
    const writer = await nats.open();
    const reader = await nats.open({ servers: through(proxy) });
    const heard = new Recorder();
    await reader.tail(0, heard.hear);
    const seqs: number[] = [];
    for (let round = 0; round < 5; round++) {
      proxy.cutAfter(round * 10_000 + 2_000);
      seqs.push(...(await sayMany(writer, LOBBY, 200, `r${round}-`)));
      if (round % 2 === 0) proxy.reset();
    }
    seqs.push((await say(writer, TABLE, "end")).seq);
    await heard.seq(seqs.at(-1) ?? 0);
    expect(seqsOf(heard.events)).toEqual(seqs);
  });

  it("finds out that its consumer is gone, and goes on with another", async () => {
    const broker = await nats.open({ owner: true });
    const heard = new Recorder();
    await broker.tail(0, heard.hear);
    const seqs = await sayMany(broker, LOBBY, 10);
    await heard.seq(seqs.at(-1) ?? 0);
    const { consumers } = (await api(`CONSUMER.NAMES.${nats.names.logStream}`)) as { consumers: string[] };
    expect(consumers.length).toBeGreaterThan(0);
    for (const name of consumers) await api(`CONSUMER.DELETE.${nats.names.logStream}.${name}`);
    seqs.push(...(await sayMany(broker, LOBBY, 10)));
    await heard.seq(seqs.at(-1) ?? 0);
    expect(seqsOf(heard.events)).toEqual(seqs);
    // The index lost its consumer too.
    expect(seqsOf((await broker.history(LOBBY, { limit: 100 })).events)).toEqual(seqs);
  });

  it("finds out that its server is silent", async () => {
    const proxy = await nats.proxy();
    const writer = await nats.open();
    const reader = await nats.open({ servers: through(proxy) });
    const heard = new Recorder();
    await reader.tail(0, heard.hear);
    await heard.seq((await say(writer, LOBBY, "one")).seq);
    proxy.swallow();
    const two = await say(writer, LOBBY, "two");
    await eventually("the silence to be noticed", () => !reader.health().ok, { withinMs: 10_000 });
    proxy.reset();
    proxy.heal();
    await heard.seq(two.seq);
    expect(await heard.texts(2)).toEqual(["one", "two"]);
  });

  it("begins after what retention dropped", async () => {
    const broker = await nats.open({ retention: { maxMessages: 1_000, maxAgeMs: 3_600_000, maxBytes: 20_000 } });
    await sayMany(broker, LOBBY, 1_000);
    const heard = new Recorder();
    await broker.tail(0, heard.hear);
    const end = await say(broker, TABLE, "end");
    await heard.seq(end.seq);
    const kept = (await broker.history(LOBBY, { limit: 1_000 })).events;
    expect(kept.length).toBeLessThan(500);
    expect(seqsOf(heard.events)).toEqual([...seqsOf(kept), end.seq]);
  });

  it("ends quietly while its broker closes", async () => {
    const broker = await nats.open();
    const heard = new Recorder();
    await broker.tail(0, heard.hear);
    const { seq } = await say(broker, LOBBY, "one");
    await broker.publish(LOBBY, deletion(LOBBY, seq));
    await broker.close();
    expect(nats.lines.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
  });
});
