import { create } from "@bufbuild/protobuf";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { FanOut } from "../../../edge/fan-out.ts";
import type { HostedRoom } from "../../../edge/hosted-room.ts";
import { Hub } from "../../../edge/hub.ts";
import type { Outbox } from "../../../edge/outbox.ts";
import { RoomHeadSchema } from "../../../gen/baccarat/v1/edge_service_pb.ts";
import { Metrics } from "../../../services/metrics.ts";
import { openTestBroker, quietLog } from "../services/room/replica.ts";
import { FaultyBroker } from "./faulty-broker.ts";
import { message, room } from "./stored.ts";

const R = room("r");
const OUTBOX = { write: () => undefined } as unknown as Outbox;
const GRANT = { moderator: false, mutedUntilMs: 0 };

async function openHub(): Promise<{ hub: Hub; broker: FaultyBroker }> {
  const broker = new FaultyBroker(await openTestBroker());
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "setTimeout", "clearTimeout", "performance"] });
  const fanOut = new FanOut();
  const ring = { events: 512, chars: 1_000_000, ageMs: 60_000 };
  const hub = new Hub({ edgeId: "edge-1", broker, fanOut, ring, metrics: new Metrics(), log: quietLog() });
  onTestFinished(() => {
    hub.close();
    fanOut.close();
  });
  return { hub, broker };
}

afterEach(() => {
  vi.useRealTimers();
});

/** Lets time pass, and what it starts come to its end, which takes real time. */
async function pass(ms: number, room?: HostedRoom): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  await room?.feed.check();
}

const head = (seq: number) => create(RoomHeadSchema, { roomId: R, seq: BigInt(seq) });

describe("a hub", () => {
  it("subscribes to a room once, and stops 30 s after its last member left", async () => {
    const { hub, broker } = await openHub();
    const hosted = hub.claim(R);
    expect(hub.claim(R)).toBe(hosted);
    await hosted.opened;
    expect(broker.subscriptions.get(R)).toBe(1);
    const member = hosted.admit(OUTBOX, "ann", GRANT, 0);
    hub.release(hosted);
    hub.release(hosted);
    await pass(60_000, hosted);
    expect(hub.get(R)).toBe(hosted);
    hosted.remove(member);
    await pass(29_000, hosted);
    expect(hub.get(R)).toBe(hosted);
    await pass(2_500);
    expect(hub.get(R)).toBeUndefined();
    expect(broker.subscriptions.get(R)).toBe(0);
    expect(hub.claim(R)).not.toBe(hosted);
  });

  it("keeps a room that somebody is joining", async () => {
    const { hub } = await openHub();
    const hosted = hub.claim(R);
    await hosted.opened;
    await pass(120_000, hosted);
    expect(hub.get(R)).toBe(hosted);
  });

  it("forgets a room that could not be opened, and tries anew", async () => {
    const { hub, broker } = await openHub();
    broker.readsFail = true;
    await expect(hub.claim(R).opened).rejects.toMatchObject({ reason: "unavailable" });
    broker.readsFail = false;
    await hub.claim(R).opened;
    expect(broker.subscriptions.get(R)).toBe(1);
  });

  it("reads what a digest knows and it has not heard, after some patience", async () => {
    const { hub, broker } = await openHub();
    const hosted = hub.claim(R);
    await hosted.opened;
    hub.digests = true;
    await pass(2_000, hosted);
    broker.isLost = () => true;
    const { seq } = await broker.publish(R, message("r", "lost"));
    const reads = broker.reads.get(R) ?? 0;
    hub.digest([head(hosted.feed.last)]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(broker.reads.get(R)).toBe(reads);
    hub.digest([head(seq)]);
    await vi.advanceTimersByTimeAsync(499);
    expect(broker.reads.get(R)).toBe(reads);
    await vi.advanceTimersByTimeAsync(2);
    expect(broker.reads.get(R)).toBe(reads + 1);
    await hosted.feed.check();
    expect(hosted.feed.last).toBe(seq);
  });

  it("looks at every room within 10 s while nobody sends digests", async () => {
    const { hub, broker } = await openHub();
    const ids = Array.from({ length: 20 }, (_, index) => room(`r${index}`));
    const hosted = ids.map((id) => hub.claim(id));
    await Promise.all(hosted.map(({ opened }) => opened));
    hub.digests = true;
    await pass(5_000);
    await Promise.all(hosted.map(({ feed }) => feed.check()));
    const before = ids.map((id) => broker.reads.get(id) ?? 0);
    await pass(10_000);
    expect(ids.map((id) => broker.reads.get(id) ?? 0)).toEqual(before);
    hub.digests = false;
    for (let second = 0; second < 10; second++) {
      await vi.advanceTimersByTimeAsync(1_000);
      await Promise.all(hosted.map(({ feed }) => feed.check()));
    }
    for (const [index, id] of ids.entries()) expect(broker.reads.get(id)).toBeGreaterThan((before[index] ?? 0) + 10);
  });
});
