import type { Room } from "../gen/baccarat/v1/room_pb.ts";

/** A room's settings inside a payload. */
export function settingsPayload(room: Room): object {
  return {
    room_id: room.roomId,
    title: room.title,
    frozen: room.frozen,
    slow_mode_ms: room.slowModeMs,
    private: room.private,
    capacity: room.capacity,
    metadata: room.metadata,
  };
}
