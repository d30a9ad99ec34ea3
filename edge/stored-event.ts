import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { StoredEvent } from "../broker/broker.ts";
import type { Event } from "../gen/baccarat/v1/event_pb.ts";
import type { RoomId } from "../services/ids.ts";

/** An event as the control plane sends it, its position filled in, as the broker gives it. */
export function storedEvent(room: RoomId, event: Event): StoredEvent {
  return { room, seq: Number(event.seq), prevSeq: Number(event.prevSeq), event };
}

/** When an event was sent, in milliseconds since 1970; 0 when that is not known. */
export function sentMs({ sent }: Event): number {
  return sent === undefined ? 0 : timestampMs(sent);
}
