import { setTimeout as pause } from "node:timers/promises";
import { type Client, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/baccarat/v1/errors_pb.ts";
import type { Position } from "../../gen/baccarat/v1/event_pb.ts";
import type { RoomService, WatchRoomResponse } from "../../gen/baccarat/v1/room_service_pb.ts";

/**
 * Follows a room for ever, through lost connections and restarts of either side. Whoever stores `position` together with
 * what the events led to, and begins with `after` there, handles every event exactly once.
 * @throws ConnectError for what trying again does not mend, such as a position from which nothing goes on.
 */
export async function* follow(
  rooms: Client<typeof RoomService>,
  roomId: string,
  after?: Position,
): AsyncGenerator<WatchRoomResponse> {
  // Leaving a loop over the responses does not end the stream by itself.
  const leaving = new AbortController();
  try {
    for (;;) {
      const request = { target: { case: "roomId", value: roomId }, ...(after && { after }) } as const;
      try {
        for await (const response of rooms.watchRoom(request, { signal: leaving.signal })) {
          yield response;
          after = response.position;
        }
      } catch (error) {
        await waitToRetry(error);
      }
    }
  } finally {
    leaving.abort();
  }
}

/** Waits as long as the server asks for. @throws the error when trying again does not mend it. */
export async function waitToRetry(error: unknown): Promise<void> {
  const [info] = ConnectError.from(error).findDetails(ErrorInfoSchema);
  if (info?.retryable === false) throw error;
  await pause(info?.retryAfterMs || 1_000);
}
