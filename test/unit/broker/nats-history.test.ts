import { connect } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import type { HistoryRange } from "../../../broker/broker.ts";
import { customEvent, deletion, room, say, sayMany, seqsOf, textsOf } from "../../contract/events.ts";
import { Recorder } from "../../contract/recorder.ts";
import { eventually } from "../../support/eventually.ts";
import { GENEROUS, through, useNats } from "../../support/nats-fixture.ts";

const LOBBY = room("lobby");
const TABLE = room("table:7@vip");
const DIRECT = room("direct:anna|1:percy");

describe("history", () => {
  const nats = useNats({ size: 1 });

  async function api<T>(path: string, body: object = {}): Promise<T> {
    const nc = await connect({ servers: nats.servers.urls });
    const answer = await nc.request(`$JS.API.${path}`, JSON.stringify(body));
    await nc.close();
    return answer.json();
  }

  describe("without an index", () => {
    it("has the pages that the index has", async () => {
      const owner = await nats.open();
      const edge = await nats.open({ owner: false });
      const seqs = await sayMany(owner, LOBBY, 40);
      await owner.publish(LOBBY, deletion(LOBBY, seqs[20] ?? 0));
      for (const id of [TABLE, DIRECT]) await say(owner, id, "hello");
      const ranges: HistoryRange[] = [
        { limit: 10 },
        { limit: 100 },
        { limit: 10, before: seqs[30] ?? 0 },
        { limit: 100, before: seqs[5] ?? 0 },
        { limit: 10, after: 0 },
        { limit: 100, after: 0 },
        { limit: 100, after: seqs[15] ?? 0 },
        { limit: 100, after: seqs[39] ?? 0 },
        { limit: 100, after: 1_000_000 },
        { limit: 100, after: seqs[15] ?? 0, maxBytes: 200 },
        { limit: 100, maxBytes: 200 },
      ];
      for (const range of ranges) {
        const [expected, page] = await Promise.all([owner.history(LOBBY, range), edge.history(LOBBY, range)]);
        expect([seqsOf(page.events), page.hasMore, page.floor], JSON.stringify(range)).toEqual([
          seqsOf(expected.events),
          expected.hasMore,
          expected.floor,
        ]);
        expect(page.seq).toBeGreaterThanOrEqual(expected.events.at(-1)?.seq ?? 0);
      }
      expect(textsOf((await edge.history(DIRECT, { limit: 10 })).events)).toEqual(["hello"]);
      expect(await edge.history(room("never"), { limit: 10, after: 0 })).toMatchObject({ events: [], hasMore: false });
    });

    it("reflects at once what another process had acknowledged", async () => {
      const owner = await nats.open();
      const edge = await nats.open({ owner: false });
      let last = 0;
      for (let count = 0; count < 20; count++) {
        const { seq } = await say(owner, LOBBY, `m${count}`);
        const page = await edge.history(LOBBY, { after: last, limit: 10 });
        expect(seqsOf(page.events)).toEqual([seq]);
        expect((await edge.position(LOBBY)).seq).toBeGreaterThanOrEqual(seq);
        last = seq;
      }
    });

    it("says that something is missing where events were hidden or trimmed", async () => {
      const retention = { ...GENEROUS, maxMessages: 20 };
      const owner = await nats.open({ retention });
      const edge = await nats.open({ owner: false, retention });
      const seqs = await sayMany(owner, LOBBY, 300);
      const { floor } = await owner.position(LOBBY);
      expect(floor).toBe(seqs[279]);
      for (const range of [{ limit: 100 }, { limit: 100, after: 0 }, { limit: 5, after: seqs[100] ?? 0 }]) {
        expect((await edge.history(LOBBY, range)).floor).toBe(floor);
      }
      const recent = await edge.history(LOBBY, { limit: 100, after: seqs[290] ?? 0 });
      expect(seqsOf(recent.events)).toEqual(seqs.slice(291));
      expect(recent.floor).toBeLessThanOrEqual(seqs[290] ?? 0);
    });

    it("reads many rooms at once", async () => {
      const owner = await nats.open();
      const edge = await nats.open({ owner: false });
      const rooms = Array.from({ length: 200 }, (_, index) => room(`room${index}`));
      await Promise.all(rooms.map((id) => sayMany(owner, id, 3)));
      const pages = await Promise.all(rooms.map((id) => edge.history(id, { after: 0, limit: 10 })));
      for (const page of pages) expect(textsOf(page.events)).toEqual(["m1", "m2", "m3"]);
    });
  });

  it("looks for what is older than the part of the log that was read at the start", async () => {
    const before = await nats.open();
    const old = await sayMany(before, LOBBY, 20);
    await before.publish(LOBBY, deletion(LOBBY, old[3] ?? 0));
    const quiet = await sayMany(before, TABLE, 5, "quiet");
    await sayMany(before, DIRECT, 50);
    const expected = await before.history(LOBBY, { limit: 100 });
    await before.close();
    const broker = await nats.open({ indexedEvents: 20 });
    expect(seqsOf((await broker.history(TABLE, { limit: 100 })).events)).toEqual(quiet);
    const { seq } = await say(broker, LOBBY, "new");
    const page = await broker.history(LOBBY, { limit: 100 });
    expect(seqsOf(page.events)).toEqual([...seqsOf(expected.events), seq]);
    expect(page.floor).toBe(0);
    expect(await broker.history(room("never"), { limit: 100 })).toMatchObject({ events: [], floor: 0 });
    expect((await broker.history(DIRECT, { limit: 100 })).events).toHaveLength(50);
  });

  it("deletes from the log what a crowded room does not show any more, and nothing else", async () => {
    const retention = { ...GENEROUS, maxMessages: 10 };
    const owner = await nats.open({ retention });
    const quiet = await sayMany(owner, TABLE, 10);
    const seqs = await sayMany(owner, LOBBY, 500);
    const subject = nats.names.log(LOBBY);
    const stored = await eventually("the room to be trimmed", async () => {
      const info = await api<{ state: { subjects: Record<string, number> } }>(`STREAM.INFO.${nats.names.logStream}`, {
        subjects_filter: nats.names.allLog,
      });
      return (info.state.subjects[subject] ?? 0) < 40 && info.state.subjects;
    });
    expect(stored[subject]).toBeGreaterThan(10);
    expect(stored[nats.names.log(TABLE)]).toBe(10);
    const page = await owner.history(LOBBY, { limit: 100 });
    expect([seqsOf(page.events), page.floor]).toEqual([seqs.slice(-10), seqs.at(-11)]);
    expect(seqsOf((await owner.history(TABLE, { limit: 100 })).events)).toEqual(quiet);

    // Whoever shows more from now on must not take the trimmed room for a whole one.
    await owner.close();
    const generous = await nats.open();
    const { floor, events } = await generous.history(LOBBY, { limit: 1_000 });
    expect(floor).toBeGreaterThan(0);
    expect(seqsOf(events)).toEqual(seqs.filter((seq) => seq > floor));
    expect((await generous.position(TABLE)).floor).toBe(0);
    const edge = await nats.open({ owner: false });
    expect((await edge.history(LOBBY, { limit: 1_000, after: 0 })).floor).toBe(floor);
  });

  it("finishes a deletion whose publisher died before it had wiped the event", async () => {
    const proxy = await nats.proxy();
    const owner = await nats.open();
    const { seq } = await say(owner, LOBBY, "oops");
    const victim = await nats.open({ servers: through(proxy), owner: false });
    const heard = new Recorder();
    await owner.subscribe(LOBBY, heard);
    proxy.swallow("down");
    const dying = victim.publish(LOBBY, deletion(LOBBY, seq)).catch(() => undefined);
    await heard.texts(1);
    proxy.refuse();
    expect(textsOf((await owner.history(LOBBY, { limit: 10 })).events)).toEqual([`deletes ${seq}`]);
    await eventually(
      "the event to be wiped",
      async () =>
        (await api<{ error?: unknown }>(`STREAM.MSG.GET.${nats.names.logStream}`, { seq })).error !== undefined,
      { withinMs: 20_000 },
    );
    await dying;
  });

  it("leaves out what somebody took out of the stream by hand", async () => {
    const broker = await nats.open();
    const seqs = await sayMany(broker, LOBBY, 5);
    await broker.history(LOBBY, { limit: 10 });
    await api(`STREAM.MSG.DELETE.${nats.names.logStream}`, { seq: seqs[2] });
    const page = await broker.history(LOBBY, { limit: 10 });
    expect(textsOf(page.events)).toEqual(["m1", "m2", "m4", "m5"]);
    expect([page.hasMore, page.floor]).toEqual([false, 0]);
    await api(`STREAM.PURGE.${nats.names.logStream}`);
    expect(await broker.history(LOBBY, { limit: 10 })).toMatchObject({ events: [], floor: seqs[4] });
    const { seq } = await say(broker, LOBBY, "fresh");
    expect(seqsOf((await broker.history(LOBBY, { limit: 10 })).events)).toEqual([seq]);
  });

  it("passes over bytes that are no event, logs and counts them, and goes on", async () => {
    const broker = await nats.open();
    const heard = new Recorder();
    const tailed = new Recorder();
    await broker.subscribe(LOBBY, heard);
    await broker.tail(0, tailed.hear);
    await say(broker, LOBBY, "one");
    const stranger = await connect({ servers: nats.servers.urls });
    nats.onEnd(() => stranger.close());
    await stranger.request(nats.names.log(LOBBY), new Uint8Array([255, 255, 255]));
    stranger.publish(nats.names.live(LOBBY), "no event, and no seq");
    stranger.publish(nats.names.signal(LOBBY), new Uint8Array([255]));
    await stranger.flush();
    await say(broker, LOBBY, "two");
    expect(await heard.texts(2)).toEqual(["one", "two"]);
    expect(await tailed.texts(2)).toEqual(["one", "two"]);
    expect(textsOf((await broker.history(LOBBY, { limit: 10 })).events)).toEqual(["one", "two"]);
    // Live, tail, history, and the signal.
    expect(broker.counts.undecodable).toBe(4);
    expect(nats.lines.filter(({ msg }) => msg === "a message in NATS cannot be read")).toHaveLength(4);
  });

  it("survives a listener that throws", async () => {
    const broker = await nats.open();
    const heard = new Recorder();
    await broker.subscribe(LOBBY, {
      onEvent: (stored) => {
        heard.hear(stored);
        if (heard.events.length === 1) throw new Error("a bug");
      },
      onSignal: () => undefined,
    });
    await say(broker, LOBBY, "one");
    await say(broker, LOBBY, "two");
    expect(await heard.texts(2)).toEqual(["one", "two"]);
    expect(nats.lines.some(({ msg }) => msg === "a listener failed")).toBe(true);
  });

  it("serves a hundred readers at once", async () => {
    const broker = await nats.open();
    for (let index = 0; index < 60; index++) await broker.publish(LOBBY, customEvent(LOBBY, 100));
    const pages = await Promise.all(Array.from({ length: 100 }, () => broker.history(LOBBY, { limit: 50 })));
    for (const { events, hasMore } of pages) expect([events.length, hasMore]).toEqual([50, true]);
  });
});
