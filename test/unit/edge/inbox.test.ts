import { describe, expect, it, onTestFinished } from "vitest";
import { parseFrame } from "../../../edge/frames.ts";
import { type Inbound, Inbox, type InboxOwner } from "../../../edge/inbox.ts";
import { RateLimits } from "../../../edge/rate-limits.ts";
import { DEFAULT_LIMITS, FIXED, type Limits } from "../../../services/limits.ts";
import { eventually } from "../../support/eventually.ts";

const FAST: Partial<Limits> = { messagesPerSecond: 1_000_000, messageBurst: 1_000_000 };

/** An inbox whose frames end when the test says so. */
class Bench {
  readonly started: string[] = [];
  readonly refused: { id: string | undefined; retryAfterMs: number }[] = [];
  readonly inbox: Inbox;
  paused = false;
  floods = 0;
  readonly #ends = new Map<string, () => void>();

  constructor(limits: Partial<Limits> = FAST, shared?: Pick<InboxOwner, "takeShared" | "sharedWaitMs">) {
    const all = { ...DEFAULT_LIMITS, ...limits };
    this.inbox = new Inbox({
      ...shared,
      limits: all,
      frameRate: { perSecond: all.messagesPerSecond, burst: all.messageBurst, maxWaitMs: FIXED.requestMs },
      run: (frame) => this.#run(frame),
      onRefused: (frame, retryAfterMs) => this.refused.push({ id: frame.id, retryAfterMs }),
      onFlood: () => {
        this.floods++;
      },
      pause: () => {
        this.paused = true;
      },
      resume: () => {
        this.paused = false;
      },
    });
    onTestFinished(() => this.inbox.close());
  }

  /** Pushes frames: `s1` is a publish, `j1` a command that takes time, `p1` one that does not. */
  push(...ids: string[]): void {
    for (const id of ids) this.inbox.push(frame(id));
  }

  async end(...ids: string[]): Promise<void> {
    for (const id of ids) this.#ends.get(id)?.();
    await Promise.resolve();
    await Promise.resolve();
  }

  #run({ id = "" }: Inbound): void | Promise<void> {
    this.started.push(id);
    if (id.startsWith("p")) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ends.set(id, resolve);
    return promise;
  }
}

function frame(id: string): Inbound {
  const type = { s: "send_message", j: "join_room", p: "ping" }[id[0] ?? ""];
  return parseFrame(JSON.stringify({ type, id, payload: { room_id: "r", message: "x" } }));
}

describe("an inbox", () => {
  it("runs publishes side by side and everything else alone, in order", async () => {
    const bench = new Bench();
    bench.inbox.start();
    bench.push("s1", "s2", "j1", "s3", "p1", "s4");
    expect(bench.started).toEqual(["s1", "s2"]);
    await bench.end("s1");
    expect(bench.started).toEqual(["s1", "s2"]);
    await bench.end("s2");
    expect(bench.started).toEqual(["s1", "s2", "j1"]);
    await bench.end("j1");
    expect(bench.started).toEqual(["s1", "s2", "j1", "s3"]);
    await bench.end("s3");
    expect(bench.started).toEqual(["s1", "s2", "j1", "s3", "p1", "s4"]);
  });

  it("begins when it is started, and shows its first frame before", async () => {
    const bench = new Bench();
    expect(await bench.inbox.first(1)).toBeUndefined();
    const first = bench.inbox.first(60_000);
    bench.push("p1", "p2");
    expect((await first)?.id).toBe("p1");
    expect(bench.started).toEqual([]);
    bench.inbox.dropFirst();
    bench.inbox.start();
    expect(bench.started).toEqual(["p2"]);
  });

  it("pauses the client at its publishes in flight, and reads on when they are stored", async () => {
    const bench = new Bench({ ...FAST, maxPublishesInFlight: 2 });
    bench.inbox.start();
    bench.push("s1", "s2");
    expect(bench.paused).toBe(false);
    bench.push("s3");
    expect(bench).toMatchObject({ paused: true, started: ["s1", "s2"] });
    await bench.end("s1");
    expect(bench).toMatchObject({ paused: false, started: ["s1", "s2", "s3"] });
  });

  it("pauses the client when frames wait behind a command, and loses none of those that were read", async () => {
    const bench = new Bench({ ...FAST, maxQueuedFrames: 2 });
    bench.inbox.start();
    bench.push("j1", "p1");
    expect(bench.paused).toBe(false);
    bench.push("p2", "p3");
    expect(bench.paused).toBe(true);
    await bench.end("j1");
    expect(bench).toMatchObject({ paused: false, started: ["j1", "p1", "p2", "p3"] });
  });

  it("slows who is a little too fast", async () => {
    const bench = new Bench({ messagesPerSecond: 100, messageBurst: 2 });
    bench.inbox.start();
    bench.push("p1", "p2", "p3", "p4");
    expect(bench).toMatchObject({ paused: true, started: ["p1", "p2"] });
    await eventually("the others", () => bench.started.length === 4);
    expect(bench).toMatchObject({ paused: false, refused: [], floods: 0 });
  });

  it("refuses what would wait longer than a request may take, and says how long to wait", () => {
    const bench = new Bench({ messagesPerSecond: 1, messageBurst: 2 });
    bench.inbox.start();
    bench.push("p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8");
    expect(bench.refused.map(({ id }) => id)).toEqual(["p8"]);
    expect(bench.refused[0]?.retryAfterMs).toBeGreaterThan(5_000);
    expect(bench.refused[0]?.retryAfterMs).toBeLessThanOrEqual(6_000);
  });

  it("gives up a client that never rests", () => {
    const bench = new Bench({ messagesPerSecond: 1, messageBurst: 1 });
    bench.inbox.start();
    for (let n = 0; n < 1_006; n++) bench.push("p1");
    expect(bench).toMatchObject({ floods: 0, refused: { length: 1_000 } });
    bench.push("p1");
    expect(bench.floods).toBe(1);
  });

  it("drops what has not begun when it is closed", async () => {
    const bench = new Bench();
    bench.inbox.start();
    bench.push("j1", "p1");
    bench.inbox.close();
    await bench.end("j1");
    bench.push("p2");
    expect(bench.started).toEqual(["j1"]);
  });

  it("finishes what is under way, and begins nothing more", async () => {
    const bench = new Bench();
    bench.inbox.start();
    bench.push("s1", "j1");
    let finished = false;
    void bench.inbox.finish().then(() => {
      finished = true;
    });
    await bench.end();
    expect(finished).toBe(false);
    await bench.end("s1");
    expect(bench.started).toEqual(["s1"]);
    expect(finished).toBe(true);
  });

  it("counts what the user sends over other connections", async () => {
    const limits = new RateLimits({ perSecond: 1, burst: 3, maxWaitMs: 0 });
    const bench = new Bench(FAST, {
      takeShared: (now) => limits.take("ann", now),
      sharedWaitMs: (now) => limits.waitMs("ann", now),
    });
    bench.inbox.start();
    bench.push("p1", "p2");
    limits.take("ann", performance.now());
    bench.push("p3");
    expect(bench.started).toEqual(["p1", "p2"]);
    expect(bench.refused).toMatchObject([{ id: "p3" }]);
    expect(bench.refused[0]?.retryAfterMs).toBeGreaterThan(900);
  });
});
