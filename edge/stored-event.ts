import type { StoredEvent } from "../broker/broker.ts";
import type { Event } from "../gen/baccarat/v1/event_pb.ts";
import type { RoomId } from "../services/ids.ts";

/** An event as the control plane sends it, its position filled in, as the broker gives it. */
export function storedEvent(room: RoomId, event: Event): StoredEvent {
  return { room, seq: Number(event.seq), prevSeq: Number(event.prevSeq), event };
}
