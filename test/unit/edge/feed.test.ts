import { array, asyncProperty, assert as check, constantFrom, integer, oneof, record } from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Broker, HistoryPage, RoomListener, StoredEvent } from "../../../broker/broker.ts";
import { Feed, type FeedListener, type FeedOptions, type FeedSource } from "../../../edge/feed.ts";
import { Limiter } from "../../../edge/limiter.ts";
import { RoomError } from "../../../services/errors.ts";
import type { RoomId } from "../../../services/ids.ts";
import { Metrics } from "../../../services/metrics.ts";
import { eventually } from "../../support/eventually.ts";
import { openTestBroker, quietLog } from "../services/room/replica.ts";
import { message, newRing, room, stored } from "./stored.ts";

/** What a feed delivered, in order: seqs, and resets as text. */
interface Heard {
  readonly seqs: number[];
  readonly resets: string[];
}

function openFeed(
  source: FeedSource,
  options: Partial<FeedOptions> = {},
  id = room("r"),
): { feed: Feed; heard: Heard; metrics: Metrics } {
  const heard: Heard = { seqs: [], resets: [] };
  const metrics = new Metrics();
  const listener: FeedListener = {
    onEvent: (_json, { seq }) => heard.seqs.push(seq),
    onSignal: () => undefined,
    onReset: (seq, reason) => heard.resets.push(`${reason} ${seq}`),
  };
  const ring = newRing({ events: 512 });
  const feed = new Feed(
    { source, reads: new Limiter(4), rechecksMs: [], metrics, log: quietLog(), ...options },
    { id, ring, listener },
  );
  onTestFinished(() => feed.close());
  return { feed, heard, metrics };
}

/** A real broker of whose live events those named by `drops` never arrive. */
function lossySource(broker: Broker, isLost: (stored: StoredEvent) => boolean): FeedSource {
  return {
    roomEnd: (id) => broker.roomEnd(id),
    history: (id, range) => broker.history(id, range),
    subscribe: (id, listener) =>
      broker.subscribe(id, {
        onEvent: (event) => {
          if (!isLost(event)) listener.onEvent(event);
        },
        onSignal: (signal) => listener.onSignal(signal),
      }),
  };
}

/** A log in memory whose live events arrive when the test says so. */
class Script implements FeedSource {
  readonly log: StoredEvent[] = [];
  floor = 0;
  listener: RoomListener | undefined;
  reads = 0;
  /** What the next reads answer instead; an error rejects. */
  answers: (HistoryPage | RoomError)[] = [];

  subscribe(_: RoomId, listener: RoomListener) {
    this.listener = listener;
    return Promise.resolve(() => {
      this.listener = undefined;
    });
  }

  roomEnd() {
    return Promise.resolve(this.end);
  }

  history(_: RoomId, range: { after?: number; before?: number; limit: number }): Promise<HistoryPage> {
    this.reads++;
    const answer = this.answers.shift();
    if (answer instanceof RoomError) return Promise.reject(answer);
    if (answer) return Promise.resolve(answer);
    const found = this.log.filter(({ seq }) => seq > (range.after ?? 0) && seq > this.floor);
    const events = found.slice(0, range.limit);
    return Promise.resolve({ events, hasMore: found.length > events.length, seq: this.end, floor: this.floor });
  }

  /** Stores events, each after the one before. */
  store(...seqs: number[]): StoredEvent[] {
    return seqs.map((seq) => {
      const event = stored(seq, this.end);
      this.log.push(event);
      return event;
    });
  }

  live(...events: StoredEvent[]): void {
    for (const event of events) this.listener?.onEvent(event);
  }

  get end(): number {
    return this.log.at(-1)?.seq ?? 0;
  }
}

async function counter(metrics: Metrics, name: string): Promise<number> {
  const { text } = await metrics.render();
  const lines = text.split("\n").filter((line) => line.startsWith(`baccarat_${name}`));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

describe("a feed", () => {
  it("delivers what comes after its position, and nothing before", async () => {
    const script = new Script();
    script.store(3);
    const { feed, heard } = openFeed(script);
    await feed.open();
    expect(feed.last).toBe(3);
    script.live(...script.log, ...script.store(5, 9));
    expect(heard.seqs).toEqual([5, 9]);
    expect(script.reads).toBe(0);
  });

  it("holds what comes while it opens", async () => {
    const script = new Script();
    const { feed, heard } = openFeed(script);
    const opened = feed.open();
    script.store(1, 2);
    await eventually("the subscription", () => script.listener);
    script.live(...script.log, ...script.store(4));
    await opened;
    await eventually("the events", () => heard.seqs.length >= 1);
    expect(heard.seqs.at(-1)).toBe(4);
  });

  it("reads what a hole hides before it delivers what came behind", async () => {
    const script = new Script();
    const { feed, heard, metrics } = openFeed(script);
    await feed.open();
    script.live(...script.store(1));
    script.store(2, 3);
    const [fourth] = script.store(4);
    if (fourth) script.live(fourth);
    script.live(...script.store(5));
    await eventually("the hole to be filled", () => heard.seqs.length >= 5);
    expect(heard.seqs).toEqual([1, 2, 3, 4, 5]);
    expect(await counter(metrics, "gaps_total")).toBe(1);
  });

  it("asks the log when a predecessor is unknown", async () => {
    const script = new Script();
    script.store(1);
    const { feed, heard } = openFeed(script);
    await feed.open();
    const next = stored(5, 0);
    script.log.push(next);
    script.live(next);
    await eventually("the event", () => heard.seqs.length === 1);
    expect(heard.seqs).toEqual([5]);
    expect(script.reads).toBe(1);
  });

  it("finds a lost tail when told to look", async () => {
    const script = new Script();
    const { feed, heard } = openFeed(script);
    await feed.open();
    script.store(1, 2);
    await feed.check();
    expect(heard.seqs).toEqual([1, 2]);
    await feed.check();
    expect(heard.seqs).toEqual([1, 2]);
  });

  it("is waited for until it has what was acknowledged, and reads it when it does not come", async () => {
    const script = new Script();
    const { feed, heard } = openFeed(script);
    await feed.open();
    await feed.reached(0);
    const [first] = script.store(1);
    const soon = feed.reached(1).then(() => [...heard.seqs]);
    if (first) script.live(first);
    expect(await soon).toEqual([1]);
    expect(script.reads).toBe(0);
    script.store(2);
    await feed.reached(2);
    expect(heard.seqs).toEqual([1, 2]);
    expect(script.reads).toBe(1);
    const never = feed.reached(3);
    feed.close();
    await never;
  });

  it("looks by itself some time after it was opened", async () => {
    const script = new Script();
    const { feed, heard } = openFeed(script, { rechecksMs: [10] });
    await feed.open();
    script.store(1);
    await eventually("the recheck", () => heard.seqs.length === 1);
  });

  it("tries again while the log cannot be read", async () => {
    const script = new Script();
    script.answers = [new RoomError("unavailable", "gone"), new RoomError("unavailable", "gone")];
    const { feed, heard } = openFeed(script);
    await feed.open();
    script.store(1);
    const [second] = script.store(2);
    if (second) script.live(second);
    await eventually("the events", () => heard.seqs.length === 2);
    expect(heard.seqs).toEqual([1, 2]);
  });

  it("says so when what is missing was dropped by retention", async () => {
    const script = new Script();
    script.store(1);
    const { feed, heard } = openFeed(script);
    await feed.open();
    script.store(2, 3, 4);
    script.floor = 3;
    await feed.check();
    expect(heard).toEqual({ seqs: [], resets: ["too_old 4"] });
    script.live(...script.store(5));
    expect(heard.seqs).toEqual([5]);
  });

  it("says so when more is missing than clients could take in", async () => {
    const script = new Script();
    const { feed, heard } = openFeed(script);
    await feed.open();
    script.store(...Array.from({ length: 2_500 }, (_, index) => index + 1));
    await feed.check();
    expect(heard.resets).toEqual(["too_many 2500"]);
    expect(heard.seqs).toEqual(Array.from({ length: 1_800 }, (_, index) => index + 1));
  });

  it("keeps a bounded number of events while it reads, and reads the others again", async () => {
    const script = new Script();
    const { feed, heard } = openFeed(script);
    await feed.open();
    const gate = Promise.withResolvers<void>();
    const history = script.history.bind(script);
    script.history = async (id, range) => {
      await gate.promise;
      return history(id, range);
    };
    script.store(1);
    script.live(...script.store(...Array.from({ length: 1_500 }, (_, index) => index + 2)));
    gate.resolve();
    await eventually("all events", () => heard.seqs.length >= 1_501);
    expect(heard.seqs).toEqual(Array.from({ length: 1_501 }, (_, index) => index + 1));
  });

  it("delivers nothing once closed, and does not hang", async () => {
    const script = new Script();
    script.answers = Array.from({ length: 100 }, () => new RoomError("unavailable", "gone"));
    const { feed, heard } = openFeed(script);
    await feed.open();
    script.store(1);
    const checked = feed.check();
    await eventually("some tries", () => script.reads > 2);
    feed.close();
    await checked;
    expect(heard.seqs).toEqual([]);
  });

  it("is without holes and duplicates over a broker that loses live events", async () => {
    const broker = await openTestBroker();
    let run = 0;
    const step = oneof(
      record({ publish: integer({ min: 1, max: 8 }) }),
      constantFrom("check" as const, "turn" as const),
    );
    await check(
      asyncProperty(
        array(step, { maxLength: 12 }),
        array(integer({ min: 0, max: 3 }), { minLength: 1 }),
        async (steps, losses) => {
          const id = room(`lossy-${run++}`);
          let live = 0;
          const source = lossySource(broker, () => losses[live++ % losses.length] === 0);
          const { feed, heard } = openFeed(source, {}, id);
          await feed.open();
          const published: Promise<{ seq: number }>[] = [];
          for (const step of steps) {
            if (step === "check") void feed.check();
            else if (step === "turn") await Promise.all(published);
            else for (let n = 0; n < step.publish; n++) published.push(broker.publish(id, message(id, "x")));
          }
          const seqs = (await Promise.all(published)).map(({ seq }) => seq);
          await feed.check();
          expect(heard).toEqual({ seqs, resets: [] });
          feed.close();
        },
      ),
      { numRuns: 60 },
    );
  });
});
