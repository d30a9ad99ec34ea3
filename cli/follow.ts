import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Event, Position } from "../gen/baccarat/v1/event_pb.ts";
import { type WatchRoomRequest, WatchRoomRequestSchema } from "../gen/baccarat/v1/room_service_pb.ts";
import { reasonOf } from "./exit-codes.ts";
import type { Session } from "./session.ts";

/** First and longest wait before following goes on, in milliseconds. */
const WAIT_MS = { first: 250, longest: 5_000 };
/** What passes by itself, after which following goes on from the last position. */
const PASSING: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.ResourceExhausted,
  Code.Canceled,
  Code.Aborted,
  Code.Unknown,
]);
/** What says that nothing goes on from the last position. */
const LOST: ReadonlySet<Code> = new Set([Code.OutOfRange, Code.FailedPrecondition]);

/**
 * Follows a room, or all rooms of a pattern, across failures, until the user has had enough. After a failure it goes on
 * from the last position, so nothing is missed or repeated; when that cannot be done it says so and goes on from now.
 * @throws ConnectError when following could not begin, or was refused.
 */
export async function* follow(
  session: Session,
  target: WatchRoomRequest["target"],
  since: Position | undefined,
): AsyncGenerator<Event> {
  let after = since;
  let begun = false;
  let waitMs = WAIT_MS.first;
  while (!session.shell.signal.aborted) {
    try {
      const request = create(WatchRoomRequestSchema, { target, ...(after && { after }) });
      for await (const { events, position } of session.rooms.watchRoom(request, session.stream)) {
        begun = true;
        waitMs = WAIT_MS.first;
        yield* events;
        after = position ?? after;
      }
    } catch (error) {
      if (session.shell.signal.aborted) return;
      const { code, rawMessage } = ConnectError.from(error);
      if (begun && LOST.has(code)) {
        session.note(`events were missed (${reasonOf(ConnectError.from(error))}); going on from now`);
        after = undefined;
        continue;
      }
      if (!begun || !PASSING.has(code)) throw error;
      session.note(`interrupted (${rawMessage}); going on from ${after?.seq ?? "now"} in ${waitMs} ms`);
    }
    if (!(await pause(waitMs, session.shell.signal))) return;
    waitMs = Math.min(waitMs * 2, WAIT_MS.longest);
  }
}

/** False when the user had enough meanwhile. */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal });
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}
