import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import type { StoredEvent } from "../../../broker/broker.ts";
import { encodeEvent } from "../../../edge/frame-encoders.ts";
import { Outbox } from "../../../edge/outbox.ts";
import { policyOf } from "../../../edge/room-policy.ts";
import { MemberSchema } from "../../../gen/baccarat/v1/client_pb.ts";
import { RoomPolicySchema } from "../../../gen/baccarat/v1/edge_service_pb.ts";
import { EventSchema, SignalSchema } from "../../../gen/baccarat/v1/event_pb.ts";
import { OverloadPolicy } from "../../../gen/baccarat/v1/room_pb.ts";
import { FIXED } from "../../../services/limits.ts";
import { eventually } from "../../support/eventually.ts";
import { openRoom } from "./open-room.ts";
import { connectPair } from "./socket-pair.ts";
import { room as roomId, stored } from "./stored.ts";

const policy = (overloadPolicy: OverloadPolicy, conflationIntervalMs = 1_000) =>
  policyOf(create(RoomPolicySchema, { overloadPolicy, conflationIntervalMs }));

/** A room at position 10 with two members: one reads, of the other the test says how much waits for it. */
async function open() {
  const { room, fanOut, metrics, hear } = await openRoom();
  let behind = 0;
  const join = async (waiting: () => number) => {
    const pair = await connectPair();
    const outbox = new Outbox({ ...pair, fanOut, maxBytes: 1_000_000, owner: { onOverflow: () => undefined } });
    Object.defineProperty(outbox, "waiting", { get: waiting });
    room.admit(outbox, `u${room.size}`, { moderator: false, mutedUntilMs: 0 }, 10);
    return () =>
      pair.received.map((text) => JSON.parse(text) as { type: string; payload: { seq: number; prev_seq: number } });
  };
  const reader = await join(() => 0);
  const sleeper = await join(() => behind);
  const types = (of: typeof reader) => of().map(({ type }) => type);
  const setBehind = (bytes: number) => {
    behind = bytes;
  };
  return { room, reader, sleeper, types, setBehind, metrics, hear };
}

/** Somebody types, somebody comes, a message, and somebody goes. */
function chatter({ room, hear }: Awaited<ReturnType<typeof open>>, seq: number): void {
  const body = { case: "typing", value: { uid: "x", username: "X" } } as const;
  room.onSignal(create(SignalSchema, { roomId: "r", body }));
  const member = create(MemberSchema, { uid: "x", username: "X" });
  room.presence.entered(member, 3);
  hear(stored(seq, seq - 1));
  room.presence.exited(member, 2, "left");
}

const ALL = ["typing", "member_joined", "new_message", "member_left"];

function odds(seq: number, prevSeq: number): StoredEvent {
  const body = { case: "customEvent", value: { type: "table.odds", dataJson: "1", snapshotKey: "odds" } } as const;
  return { room: roomId("r"), seq, prevSeq, event: create(EventSchema, { roomId: "r", body }) };
}

describe("a room that drops what is ephemeral", () => {
  it("leaves typing and presence out for members that are behind, and nothing else", async () => {
    const opened = await open();
    const { room, reader, sleeper, types, setBehind, metrics } = opened;
    room.presence.joined(2, []);
    room.policy = policy(OverloadPolicy.DROP_EPHEMERAL);
    setBehind(FIXED.behindBytes + 1);
    chatter(opened, 11);
    room.onReset(12, "too_old");
    await eventually("the frames", () => reader().length === 5 && sleeper().length === 2);
    expect(types(reader)).toEqual([...ALL, "reset"]);
    expect(types(sleeper)).toEqual(["new_message", "reset"]);
    expect((await metrics.ephemeralDroppedTotal.get()).values[0]?.value).toBe(3);
    setBehind(FIXED.behindBytes);
    chatter(opened, 12);
    await eventually("everything", () => sleeper().length === 6);
    expect(types(sleeper).slice(2)).toEqual(ALL);
  });

  it("is no other room: by default everybody is given everything", async () => {
    const opened = await open();
    const { room, reader, sleeper, types, setBehind } = opened;
    room.presence.joined(2, []);
    setBehind(1_000_000);
    chatter(opened, 11);
    await eventually("the frames", () => reader().length === 4 && sleeper().length === 4);
    expect(types(sleeper)).toEqual(ALL);
  });
});

describe("a room that gives the latest only", () => {
  it("does so from when it is told to, until it is told otherwise, and the chain of what it gives has no hole", async () => {
    const { room, reader, hear } = await open();
    const seqs = () => reader().map(({ payload }) => [payload.seq, payload.prev_seq]);
    hear(odds(11, 10));
    hear(odds(12, 11));
    room.policy = policy(OverloadPolicy.LATEST_ONLY, 10_000);
    hear(odds(13, 12));
    hear(odds(14, 13));
    hear(odds(15, 14));
    hear(stored(16, 15));
    await eventually("what is given at once", () => reader().length === 4);
    expect(seqs()).toEqual([
      [11, 10],
      [12, 11],
      [13, 12],
      [16, 13],
    ]);
    // A join says it again.
    room.policy = policy(OverloadPolicy.LATEST_ONLY, 10_000);
    room.policy = policy(OverloadPolicy.QUEUE);
    hear(odds(17, 16));
    await eventually("the rest", () => reader().length === 6);
    expect(seqs().slice(4)).toEqual([
      [15, 14],
      [17, 16],
    ]);
  });

  it("gives joiners the whole history and the latest snapshot all the same", async () => {
    const { room, hear } = await open();
    room.policy = policy(OverloadPolicy.LATEST_ONLY, 10_000);
    for (let seq = 11; seq <= 14; seq++) hear(odds(seq, seq - 1));
    expect(room.ring.before(undefined, 300)?.events).toBeUndefined();
    expect(room.ring.after(10, 300)?.events).toHaveLength(4);
    expect(room.snapshot.answer(undefined, 14, 14)).toEqual([encodeEvent(odds(14, 13), "e")]);
  });
});
