import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { StoredEvent } from "../../../broker/broker.ts";
import { RecentEvents } from "../../../edge/recent-events.ts";
import { Ring, type RingLimits } from "../../../edge/ring.ts";
import { type Event, EventSchema } from "../../../gen/baccarat/v1/event_pb.ts";
import { parseRoomId, type RoomId } from "../../../services/ids.ts";

/** @throws Error when it is none. */
export function room(id: string): RoomId {
  const parsed = parseRoomId(id);
  if (parsed === undefined) throw new Error(`${id} is no room id`);
  return parsed;
}

/** A message as it is published. */
export function message(roomId: string, text: string, sentMs: number = Date.now()): Event {
  const body = { case: "message", value: { uid: "ann", username: "Ann", message: text } } as const;
  return create(EventSchema, { roomId, sent: timestampFromMs(sentMs), body });
}

/** A message as it is stored in room `r`. */
export function stored(seq: number, prevSeq: number, options: { text?: string; sentMs?: number } = {}): StoredEvent {
  return { room: room("r"), seq, prevSeq, event: message("r", options.text ?? `m${seq}`, options.sentMs) };
}

/** The deletion of an event of room `r`. */
export function deletion(seq: number, prevSeq: number, deletedSeq: number): StoredEvent {
  const body = { case: "deletion", value: { deletedSeq: BigInt(deletedSeq), byUid: "ann" } } as const;
  const event = create(EventSchema, { roomId: "r", sent: timestampFromMs(Date.now()), body });
  return { room: room("r"), seq, prevSeq, event };
}

/** Seqs and prev_seqs of frames of events. */
export function positions(frames: readonly string[]): [number, number][] {
  return frames.map((json) => {
    const { payload } = JSON.parse(json) as { payload: { seq: number; prev_seq: number } };
    return [payload.seq, payload.prev_seq];
  });
}

/** A ring of up to four events that alone has `capacity` bytes. */
export function newRing(options: Partial<RingLimits> & { capacity?: number; now?: () => number } = {}): Ring {
  const { events = 4, ageMs = 60_000, capacity = 4 * 1024 * 1024, now } = options;
  const recent = new RecentEvents({ capacity: () => capacity });
  return new Ring({ epoch: "e", limits: { events, ageMs }, recent, ...(now && { now }) });
}
