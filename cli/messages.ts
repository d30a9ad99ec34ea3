import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { type Event, EventSchema, PositionSchema } from "../gen/baccarat/v1/event_pb.ts";
import {
  DeleteMessageResponseSchema,
  PublishEventResponseSchema,
  SendMessageResponseSchema,
} from "../gen/baccarat/v1/room_service_pb.ts";
import { printEvent } from "./events.ts";
import { CliError, EXIT } from "./exit-codes.ts";
import { follow } from "./follow.ts";
import { action, plain, type Session, type Shell } from "./session.ts";
import { integer, json, position } from "./values.ts";

/** Largest page of a room's log. */
const PAGE = 300;

/** send, publish, history, tail, delete-message. */
export function addMessages(program: Command, shell: Shell): void {
  program
    .command("send")
    .description("send a message to a room, or to a user")
    .argument("<room>", "room id; with --direct a uid")
    .argument("<message>", "text; - reads it from stdin")
    .option("--direct", "send to a user instead of a room")
    .option("--as <uid>", "send as this user (scope admin)")
    .option("--from <name>", "display name for this message")
    .option("--image <url>", "https URL of a picture")
    .option("--key <key>", "retries with the same key within 120 s are stored once")
    .action(action(shell, send));
  program
    .command("publish")
    .description("publish an event of your own type, such as table.result")
    .argument("<room>", "room id")
    .argument("<type>", "frame type; has a dot")
    .argument("[data]", "any JSON", json)
    .option("--snapshot-key <key>", "keep it as the room's state until the next of this key; null data clears the key")
    .option("--key <key>", "retries with the same key within 120 s are stored once")
    .action(action(shell, publish));
  program
    .command("history")
    .description("show the latest messages of a room, oldest first")
    .argument("<room>", "room id, or direct:<uid>:<uid>")
    .option("--limit <n>", "most of them to show", integer(1, 100_000), 50)
    .option("--before <seq>", "only those before this position", integer(1, Number.MAX_SAFE_INTEGER))
    .option("--after <seq>", "the earliest after this position instead", integer(1, Number.MAX_SAFE_INTEGER))
    .option("--events", "deletions and custom events, too")
    .action(action(shell, history));
  program
    .command("tail")
    .description("follow a room, across reconnects, until Ctrl-C")
    .argument("<room>", "room id, or a pattern: table.* follows every room that begins so")
    .option("--since <position>", "begin after this position, <epoch>-<seq>", position)
    .option("--history <n>", "show so many of the latest first; one room only", integer(0, PAGE), 0)
    .option("--count <n>", "end after so many events", integer(1, Number.MAX_SAFE_INTEGER))
    .action(action(shell, tail));
  program
    .command("delete-message")
    .description("wipe a stored message and tell the members")
    .argument("<room>", "room id")
    .argument("<seq>", "position of the message", integer(1, Number.MAX_SAFE_INTEGER))
    .action(
      action(shell, async (session, [roomId = "", seq = ""]) => {
        const answer = await session.rooms.deleteMessage({ roomId, seq: BigInt(seq) }, session.call);
        session.show(DeleteMessageResponseSchema, answer, () => `#${seq} in ${roomId} is deleted`);
      }),
    );
}

interface SendOptions {
  readonly direct?: true;
  readonly as?: string;
  readonly from?: string;
  readonly image?: string;
  readonly key?: string;
}

async function send(
  session: Session,
  [target = "", text = ""]: readonly string[],
  options: SendOptions,
): Promise<void> {
  const message = text === "-" ? await readAll(session.shell.stdin) : text;
  const answer = await session.rooms.sendMessage(
    {
      ...(options.direct ? { toUid: target } : { roomId: target }),
      message,
      uid: options.as ?? "",
      from: options.from ?? "",
      imageUrl: options.image ?? "",
      // A fresh key costs nothing, and makes the retry of a proxy on the way harmless.
      idempotencyKey: options.key ?? crypto.randomUUID(),
    },
    session.call,
  );
  session.show(
    SendMessageResponseSchema,
    answer,
    () => `${answer.message?.messageId}${answer.duplicate ? " (stored before)" : ""}`,
  );
}

interface PublishOptions {
  readonly key?: string;
  readonly snapshotKey?: string;
}

async function publish(session: Session, args: readonly unknown[], options: PublishOptions): Promise<void> {
  const [roomId, type, data = null] = args as [string, string, JsonValue?];
  const { key: idempotencyKey = crypto.randomUUID(), snapshotKey = "" } = options;
  const request = { roomId, type, data: fromJson(ValueSchema, data), idempotencyKey, snapshotKey };
  const answer = await session.rooms.publishEvent(request, session.call);
  const stored = answer.duplicate ? " (stored before)" : "";
  session.show(PublishEventResponseSchema, answer, () => `#${answer.event?.seq}${stored}`);
}

interface HistoryOptions {
  readonly limit: number;
  readonly before?: number;
  readonly after?: number;
  readonly events?: true;
}

async function history(session: Session, [roomId = ""]: readonly string[], options: HistoryOptions): Promise<void> {
  if (options.before !== undefined && options.after !== undefined) {
    throw new CliError("give --before or --after, not both", EXIT.usage);
  }
  const events = await readHistory(session, roomId, options);
  if (session.json)
    session.print(
      "",
      events.map((event) => plain(EventSchema, event)),
    );
  else if (events.length === 0) session.note("none");
  else for (const event of events) printEvent(session, event, false);
}

/** Events, oldest first. Pages before a position come newest page first, and are put in front. */
async function readHistory(session: Session, roomId: string, options: HistoryOptions): Promise<Event[]> {
  const { limit, before = 0, after } = options;
  const read: Event[] = [];
  let pageToken = "";
  do {
    const request = {
      roomId,
      pageSize: Math.min(limit - read.length, PAGE),
      pageToken,
      beforeSeq: BigInt(before),
      afterSeq: BigInt(after ?? 0),
    };
    const { events, nextPageToken } = await readPage(session, request, options.events === true);
    if (after === undefined) read.unshift(...events);
    else read.push(...events);
    pageToken = nextPageToken;
  } while (pageToken !== "" && read.length < limit);
  return read;
}

/** ListMessages and ListEvents take the same. */
interface PageRequest {
  readonly roomId: string;
  readonly pageSize: number;
  readonly pageToken: string;
  readonly beforeSeq: bigint;
  readonly afterSeq: bigint;
}

async function readPage(
  session: Session,
  request: PageRequest,
  all: boolean,
): Promise<{ readonly events: readonly Event[]; readonly nextPageToken: string }> {
  if (all) return await session.rooms.listEvents(request, session.call);
  const { messages, nextPageToken } = await session.rooms.listMessages(request, session.call);
  const events = messages.map((message) => {
    const { roomId, seq, prevSeq, sent } = message;
    return create(EventSchema, {
      roomId,
      seq,
      prevSeq,
      ...(sent && { sent }),
      body: { case: "message", value: message },
    });
  });
  return { events, nextPageToken };
}

interface TailOptions {
  readonly since?: { readonly epoch: string; readonly seq: bigint };
  readonly history: number;
  readonly count?: number;
}

async function tail(session: Session, [room = ""]: readonly string[], options: TailOptions): Promise<void> {
  const isPattern = room.endsWith("*");
  if (isPattern && options.history > 0) throw new CliError("--history needs one room, not a pattern", EXIT.usage);
  if (options.since && options.history > 0) throw new CliError("give --since or --history, not both", EXIT.usage);
  let left = options.count ?? Number.POSITIVE_INFINITY;
  let since = options.since && create(PositionSchema, options.since);
  if (options.history > 0) {
    const { events, epoch } = await session.rooms.listEvents({ roomId: room, pageSize: options.history }, session.call);
    for (const event of events.slice(0, left)) printEvent(session, event, false);
    left -= events.length;
    since = create(PositionSchema, { epoch, seq: events.at(-1)?.seq ?? 0n });
  }
  if (left <= 0) return;
  const target = isPattern
    ? ({ case: "roomPattern", value: room } as const)
    : ({ case: "roomId", value: room } as const);
  for await (const event of follow(session, target, since)) {
    printEvent(session, event, isPattern);
    left -= 1;
    if (left <= 0) return;
  }
}

async function readAll(stdin: AsyncIterable<Buffer | string>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8").replace(/\n$/, "");
}
