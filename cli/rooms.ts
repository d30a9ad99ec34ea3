import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Command, InvalidArgumentError } from "commander";
import { OverloadPolicy, type Room, RoomSchema } from "../gen/baccarat/v1/room_pb.ts";
import { readPages } from "./paging.ts";
import { action, type Session, type Shell } from "./session.ts";
import { type Column, fields, time } from "./text.ts";
import { integer, pairs, truth } from "./values.ts";

interface Settings {
  readonly title?: string;
  readonly capacity?: number;
  readonly private?: boolean;
  readonly slowMode?: number;
  readonly frozen?: boolean;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly overloadPolicy?: OverloadPolicy;
  readonly conflationInterval?: number;
}

/** Policies by their names in lower case, such as `latest_only`. */
const POLICIES: ReadonlyMap<string, OverloadPolicy> = new Map(
  Object.entries(OverloadPolicy).flatMap(([name, value]) =>
    typeof value === "number" && value !== OverloadPolicy.UNSPECIFIED ? [[name.toLowerCase(), value]] : [],
  ),
);

const COLUMNS: readonly Column<Room>[] = [
  { name: "room", value: (room) => room.roomId },
  { name: "members", value: (room) => room.memberCount },
  { name: "capacity", value: (room) => room.capacity || "-" },
  { name: "flags", value: flags },
  { name: "title", value: (room) => room.title },
];

/** rooms list, get, create, update, delete. */
export function addRooms(program: Command, shell: Shell): void {
  const rooms = program.command("rooms").description("list and administer rooms");
  rooms
    .command("list")
    .description("list rooms that have settings or members")
    .argument("[prefix]", "only rooms whose ids begin with this")
    .option("--limit <n>", "most rooms to list", integer(1, 1_000_000), 1_000)
    .action(action(shell, listRooms));
  rooms
    .command("get")
    .description("show a room's settings")
    .argument("<room>", "room id")
    .action(
      action(shell, async (session, [roomId = ""]) => {
        showRoom(session, (await session.rooms.getRoom({ roomId }, session.call)).room);
      }),
    );
  withSettings(rooms.command("create"))
    .description("store a new room's settings")
    .action(
      action<Settings>(shell, async (session, [roomId = ""], options) => {
        const room = { roomId, ...settingsOf(options) };
        showRoom(session, (await session.rooms.createRoom({ room }, session.call)).room);
      }),
    );
  withSettings(rooms.command("update"))
    .description("change the settings given, and no others")
    .action(
      action<Settings>(shell, async (session, [roomId = ""], options) => {
        const settings = settingsOf(options);
        const paths = Object.keys(settings).map((key) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
        const request = { room: { roomId, ...settings }, updateMask: { paths } };
        showRoom(session, (await session.rooms.updateRoom(request, session.call)).room);
      }),
    );
  rooms
    .command("delete")
    .description("take every member out; the id is gone until it is created again")
    .argument("<room>", "room id")
    .action(
      action(shell, async (session, [roomId = ""]) => {
        await session.rooms.deleteRoom({ roomId }, session.call);
        session.print(`${roomId} is deleted`, { room_id: roomId });
      }),
    );
}

function withSettings(command: Command): Command {
  return command
    .argument("<room>", "room id")
    .option("--title <text>", "title for people")
    .option("--capacity <n>", "most members; 0 is the server's limit", integer(0, 10_000_000))
    .option("--private <true|false>", "joinable only by invitation, by role, or by a token that names it", truth)
    .option("--slow-mode <ms>", "least time between two messages of one member; 0 is off", integer(0, 3_600_000))
    .option("--frozen <true|false>", "only moderators and services may publish", truth)
    .option("--metadata <key=value>", "the owner's own data; may be repeated, replaces all", pairs)
    .option(
      "--overload-policy <policy>",
      "when there is more than members can take: queue gives all and closes who is too slow, drop_ephemeral leaves out typing and presence, latest_only gives the latest of each snapshot key",
      policy,
    )
    .option(
      "--conflation-interval <ms>",
      "with latest_only: least time between two events of a snapshot key; 0 is 1000",
      integer(0, 10_000),
    );
}

async function listRooms(
  session: Session,
  [prefix = ""]: readonly string[],
  options: { limit: number },
): Promise<void> {
  const { items, more } = await readPages(options.limit, async (page) => {
    const { rooms, nextPageToken } = await session.rooms.listRooms({ ...page, prefix }, session.call);
    return { items: rooms, nextPageToken };
  });
  session.list(RoomSchema, items, COLUMNS);
  if (more) session.note("there are more: --limit");
}

/** Only what was given: exactly that is changed. */
function settingsOf({
  slowMode,
  conflationInterval,
  metadata,
  ...rest
}: Settings): Omit<MessageInitShape<typeof RoomSchema>, "$typeName"> {
  return {
    ...rest,
    ...(conflationInterval !== undefined && { conflationIntervalMs: conflationInterval }),
    ...(slowMode !== undefined && { slowModeMs: slowMode }),
    ...(metadata !== undefined && { metadata: { ...metadata } }),
  };
}

function showRoom(session: Session, room: Room | undefined): void {
  if (room === undefined) return;
  session.show(RoomSchema, room, () =>
    fields({
      room: room.roomId,
      title: room.title,
      members: room.memberCount,
      capacity: room.capacity || "the server's limit",
      private: room.private,
      "slow mode": room.slowModeMs === 0 ? "off" : `${room.slowModeMs} ms`,
      frozen: room.frozen,
      overload: policyOf(room),
      created: time(room.createTime),
      changed: time(room.updateTime),
      ...Object.fromEntries(Object.entries(room.metadata).map(([key, value]) => [`metadata ${key}`, value])),
    }),
  );
}

function flags(room: Room): string {
  const set = [room.private && "private", room.frozen && "frozen", room.slowModeMs > 0 && "slow"];
  const conflates = room.overloadPolicy > OverloadPolicy.QUEUE && nameOf(room.overloadPolicy);
  return [...set, conflates].filter((flag) => flag !== false).join(",") || "-";
}

function policyOf({ overloadPolicy, conflationIntervalMs }: Room): string {
  const name = nameOf(overloadPolicy);
  return overloadPolicy === OverloadPolicy.LATEST_ONLY ? `${name}, every ${conflationIntervalMs} ms` : name;
}

function nameOf(value: OverloadPolicy): string {
  return [...POLICIES].find(([, policy]) => policy === value)?.[0] ?? `policy ${value}`;
}

function policy(text: string): OverloadPolicy {
  const value = POLICIES.get(text);
  if (value === undefined) throw new InvalidArgumentError(`It must be ${[...POLICIES.keys()].join(", ")}.`);
  return value;
}
