import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Command } from "commander";
import { DeliverySchema } from "../gen/baccarat/v1/admin_service_pb.ts";
import { type Event, EventSchema, PositionSchema } from "../gen/baccarat/v1/event_pb.ts";
import { directUsers } from "../services/ids.ts";
import { CliError } from "./exit-codes.ts";
import { action, plain, type Session, type Shell } from "./session.ts";
import { count, fields, time } from "./text.ts";
import { position } from "./values.ts";

/** trace. */
export function addTrace(program: Command, shell: Shell): void {
  program
    .command("trace")
    .description(
      "follow an event by its message id: by whom, when it was accepted and stored, when each edge delivered it",
    )
    .argument("<message-id>", "<epoch>-<seq>", position)
    .option("--room <room>", "where to look; needed for direct conversations, and faster for old messages")
    .action(action(shell, trace));
}

async function trace(session: Session, args: readonly unknown[], { room }: { room?: string }): Promise<void> {
  const { epoch, seq } = args[0] as { epoch: string; seq: bigint };
  const { epoch: current } = await session.admin.getStats({}, session.call);
  if (epoch !== current) {
    throw new CliError(`the log's epoch is ${current}: what had the epoch ${epoch} was in a log that is gone`);
  }
  const found = room === undefined ? await findAnywhere(session, epoch, seq) : await findIn(session, room, seq);
  if (found === undefined) {
    const where = room === undefined ? "in any room (direct conversations and old events need --room)" : `in ${room}`;
    throw new CliError(`there is no event ${seq} ${where}: it was deleted, or dropped by retention, or never stored`);
  }
  // The event once more, since who finds it by following the log is not told which one was before it.
  const traced = await session.admin.traceEvent({ roomId: found.roomId, seq }, session.call);
  const { deliveries, storeTime, event = found } = traced;
  const by = senderOf(event);
  const rows = deliveries.map(({ edgeId, deliverTime, connections }): [string, string] => [
    `delivered by ${edgeId}`,
    `${deliverTime ? at(event, deliverTime) : "not known any more"}, ${count(connections, "connection")} now`,
  ]);
  const undelivered = directUsers(event.roomId)
    ? "not known of direct conversations"
    : "no edge says that it serves the room";
  session.print(
    fields({
      "message id": `${epoch}-${seq}`,
      room: event.roomId,
      kind: event.body.case === "customEvent" ? event.body.value.type : (event.body.case ?? "unknown"),
      by,
      "accepted at": time(event.sent),
      "stored at": `${storeTime ? at(event, storeTime) : "not known"}, seq ${seq} after ${event.prevSeq || "none that is known"}`,
      "trace context": event.trace?.traceparent || "none",
      ...(rows.length > 0 ? Object.fromEntries(rows) : { delivered: undelivered }),
    }),
    {
      message_id: `${epoch}-${seq}`,
      by,
      ...(storeTime && { store_time: time(storeTime) }),
      deliveries: deliveries.map((delivery) => plain(DeliverySchema, delivery)),
      event: plain(EventSchema, event),
    },
  );
}

/** A time, and how long after the event was accepted that is, by two clocks that may differ. */
function at({ sent }: Event, then: Timestamp): string {
  return sent === undefined ? time(then) : `${time(then)} (${timestampMs(then) - timestampMs(sent)} ms)`;
}

/** The log's first event after the one before: the event itself, or another if it is gone. */
async function findAnywhere(session: Session, epoch: string, seq: bigint): Promise<Event | undefined> {
  const after = create(PositionSchema, { epoch, seq: seq - 1n });
  const target = { case: "roomPattern", value: "*" } as const;
  try {
    for await (const answer of session.rooms.watchRoom({ target, after }, session.stream)) {
      const [first] = answer.events;
      if (first !== undefined) return first.seq === seq ? first : undefined;
      if ((answer.position?.seq ?? 0n) >= seq) return undefined;
    }
  } catch (error) {
    // Something after that position is gone, so nothing can be followed from there: the event itself most likely.
    if (ConnectError.from(error).code !== Code.OutOfRange) throw error;
  }
  return undefined;
}

async function findIn(session: Session, roomId: string, seq: bigint): Promise<Event | undefined> {
  const { events } = await session.rooms.listEvents({ roomId, beforeSeq: seq + 1n, pageSize: 1 }, session.call);
  return events[0]?.seq === seq ? events[0] : undefined;
}

function senderOf({ body }: Event): string {
  if (body.case === "message") return body.value.uid;
  return body.case === undefined ? "" : body.value.byUid;
}
