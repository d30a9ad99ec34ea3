import { describe, expect, it, onTestFinished } from "vitest";
import { DirectListener, type Missed } from "../../../edge/direct-listener.ts";
import { FanOut } from "../../../edge/fan-out.ts";
import { textFrame } from "../../../edge/frame-encoders.ts";
import { Outbox } from "../../../edge/outbox.ts";
import { parseUid } from "../../../services/ids.ts";
import { eventually } from "../../support/eventually.ts";
import { connectPair } from "./socket-pair.ts";
import { room } from "./stored.ts";

const [BOB, CYD] = [room("direct:ann:bob"), room("direct:ann:cyd")];

/** A listener over a real connection; `source.count` is how many frames its user was sent. */
async function open() {
  const pair = await connectPair();
  const fanOut = new FanOut();
  onTestFinished(() => fanOut.close());
  const outbox = new Outbox({ ...pair, fanOut, maxBytes: 1024 * 1024, owner: { onOverflow: () => undefined } });
  const nothing = () => undefined;
  pair.webSocket.tell({
    onClosing: () => outbox.close(),
    onMessage: nothing,
    onPong: () => listener.ponged(),
    onControlFlood: nothing,
    onGone: nothing,
  });
  const source = { count: 0, position: (seq: number) => ({ seq, ahead: new Map() }) };
  const uid = parseUid("ann");
  if (uid === undefined) throw new Error("no uid");
  const listener = new DirectListener({ uid, clientId: "c1", outbox, source });
  const hear = (id: typeof BOB, seq: number): void => {
    source.count++;
    listener.hear(id, seq, textFrame(`${id.slice(11)} ${seq}`));
  };
  const receives = async (...texts: string[]) => {
    await eventually(`${texts.length} frames`, () => pair.received.length >= texts.length);
    expect(pair.received).toEqual(texts);
  };
  return { ...pair, outbox, source, listener, hear, receives };
}

function missed(seq: number, events: readonly (readonly [typeof BOB, number])[], truncated?: string): Missed {
  return {
    seq,
    events: events.map(([id, at]) => ({ room: id, seq: at, json: `missed ${id.slice(11)} ${at}` })),
    truncated: (overflowed) =>
      truncated === undefined && overflowed.length === 0 ? undefined : [truncated, ...overflowed].join(" "),
  };
}

describe("a connection's direct messages", () => {
  it("begin with what was missed; what came live meanwhile follows, unless it was among that", async () => {
    const { listener, hear, receives } = await open();
    hear(BOB, 12);
    hear(CYD, 10);
    hear(BOB, 13);
    listener.begin(
      missed(11, [
        [CYD, 10],
        [BOB, 12],
      ]),
    );
    hear(BOB, 14);
    await receives("missed cyd 10", "missed bob 12", "bob 13", "bob 14");
  });

  it("leave out what is late and covered, but nothing that is no event", async () => {
    const { listener, hear, receives } = await open();
    listener.begin(missed(20, [], "truncated"));
    hear(BOB, 19);
    hear(BOB, 0);
    hear(BOB, 21);
    await receives("truncated", "bob 0", "bob 21");
  });

  it("are not kept back without end: what is too much is named", async () => {
    const { listener, hear, receives } = await open();
    for (let seq = 1; seq <= 1_001; seq++) hear(BOB, seq);
    hear(CYD, 1_002);
    hear(BOB, 1_003);
    listener.begin(missed(0, []));
    hear(BOB, 1_004);
    await receives(" direct:ann:bob", "cyd 1002", "bob 1004");
  });

  it("are live without what was missed when nobody can tell, and named when somebody can", async () => {
    const { listener, hear, receives } = await open();
    listener.begin(undefined);
    hear(BOB, 5);
    expect(listener.sent).toBeUndefined();
    listener.tell(missed(7, [], "truncated"));
    hear(BOB, 8);
    expect(listener.sent).toEqual({ seq: 7, ahead: new Map() });
    await receives("bob 5", "truncated", "bob 8");
  });
});

describe("what a client certainly has", () => {
  it("is what was sent before a ping that was answered", async () => {
    const { listener, hear, outbox } = await open();
    expect(listener.begin(missed(5, [[BOB, 5]]))).toBe(true);
    expect([listener.sent?.seq, listener.confirmed]).toEqual([5, undefined]);
    outbox.ping();
    listener.pinged();
    hear(BOB, 6);
    await eventually("the pong", () => listener.confirmed !== undefined);
    expect(listener.confirmedCount).toBe(0);
    outbox.ping();
    listener.pinged();
    await eventually("another pong", () => listener.confirmedCount === 1);
  });

  it("is everything to begin with, when that is nothing", async () => {
    const { listener } = await open();
    expect(listener.begin(missed(5, []))).toBe(false);
    expect(listener.confirmed).toEqual({ seq: 5, ahead: new Map() });
  });

  it("never is what the oldest unanswered ping did not cover", async () => {
    const { listener, source, outbox } = await open();
    listener.begin(missed(1, [[BOB, 1]]));
    for (let pings = 0; pings < 3; pings++) {
      source.count++;
      outbox.ping();
      listener.pinged();
    }
    // The client may answer only the latest: one answer is good for the oldest.
    listener.ponged();
    expect(listener.confirmedCount).toBe(1);
  });

  it("is not what came when it was leaving", async () => {
    const { listener, hear, client, webSocket, source } = await open();
    const last = new Map<typeof BOB, number>();
    source.position = (seq) => ({ seq, ahead: new Map([...last].filter(([, at]) => at > seq)) });
    listener.begin(missed(10, []));
    const say = (id: typeof BOB, seq: number) => {
      last.set(id, seq);
      hear(id, seq);
    };
    say(BOB, 11);
    say(CYD, 12);
    client.close(1000);
    await eventually("the end to begin", () => webSocket.readyState !== webSocket.OPEN);
    say(BOB, 13);
    say(CYD, 14);
    expect(listener.sent).toEqual({
      seq: 10,
      ahead: new Map([
        [CYD, 12],
        [BOB, 11],
      ]),
    });
  });

  it("is as certain when a room goes on after the goodbye, and does not move by what is told too late", async () => {
    const { listener, hear, outbox, client, webSocket, source, closed, received } = await open();
    source.position = (seq) => ({ seq, ahead: new Map([[BOB, 11]]) });
    listener.begin(missed(10, []));
    hear(BOB, 11);
    client.close(1000);
    await eventually("the end to begin", () => webSocket.readyState !== webSocket.OPEN);
    outbox.write(textFrame("a room's frame"));
    outbox.push(textFrame("a reply"));
    expect(listener.tell(missed(20, [], "truncated"))).toBe(false);
    expect(listener.sent).toEqual({ seq: 10, ahead: new Map([[BOB, 11]]) });
    expect(await closed).toBe(1000);
    expect(received).toEqual(["bob 11"]);
  });

  it("is nothing of what it came for when it left before that", async () => {
    const { listener, client, webSocket, hear } = await open();
    hear(BOB, 3);
    client.close(1000);
    await eventually("the end to begin", () => webSocket.readyState !== webSocket.OPEN);
    expect(listener.begin(missed(2, [[BOB, 2]]))).toBe(false);
    hear(BOB, 4);
    expect([listener.sent, listener.confirmed]).toEqual([undefined, undefined]);
  });

  it("is not what an overflowing queue left out", async () => {
    const { listener, outbox, client } = await open();
    listener.begin(missed(1, []));
    client.pause();
    const frame = textFrame("x".repeat(200_000));
    await eventually("the queue to be full", () => {
      outbox.push(frame);
      outbox.flush();
      return outbox.lossy;
    });
    expect(listener.sent).toBeUndefined();
  });
});
