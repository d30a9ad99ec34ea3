import { create } from "@bufbuild/protobuf";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import { type Room, RoomSchema } from "../../gen/baccarat/v1/room_pb.ts";
import { RoomError } from "../errors.ts";
import { characters, FIXED, LIMIT_TABLE } from "../limits.ts";

/** The settings an owner may choose: everything else in a Room is output only. */
const SETTINGS = {
  title: { isSet: (room) => room.title !== "", copy: (from, to) => void (to.title = from.title) },
  capacity: { isSet: (room) => room.capacity !== 0, copy: (from, to) => void (to.capacity = from.capacity) },
  private: { isSet: (room) => room.private, copy: (from, to) => void (to.private = from.private) },
  slow_mode_ms: { isSet: (room) => room.slowModeMs !== 0, copy: (from, to) => void (to.slowModeMs = from.slowModeMs) },
  frozen: { isSet: (room) => room.frozen, copy: (from, to) => void (to.frozen = from.frozen) },
  metadata: {
    isSet: (room) => Object.keys(room.metadata).length > 0,
    copy: (from, to) => void (to.metadata = { ...from.metadata }),
  },
} as const satisfies Record<string, Setting>;

interface Setting {
  /** True when the setting is not at its default. */
  isSet(room: Room): boolean;
  copy(from: Room, to: Room): void;
}

/** A new room with the settings of `asked` and nothing else of it. @throws RoomError invalid_argument. */
export function newSettings(asked: Room): Room {
  const room = create(RoomSchema, { roomId: asked.roomId });
  for (const setting of Object.values(SETTINGS)) setting.copy(asked, room);
  checkSettings(room);
  return room;
}

/**
 * `room` with the settings named by the mask taken from `asked`; without a mask, those that `asked` sets (AIP-134).
 * @throws RoomError invalid_argument.
 */
export function maskedSettings(room: Room, asked: Room, mask: FieldMask | undefined): Room {
  const result: Room = { ...room };
  for (const setting of mask === undefined ? setIn(asked) : mask.paths.map(settingAt)) setting.copy(asked, result);
  checkSettings(result);
  return result;
}

function setIn(asked: Room): Setting[] {
  return Object.values(SETTINGS).filter((setting) => setting.isSet(asked));
}

function settingAt(path: string): Setting {
  if (Object.hasOwn(SETTINGS, path)) return SETTINGS[path as keyof typeof SETTINGS];
  throw invalid("update_mask", `no setting has the path ${JSON.stringify(path.slice(0, FIXED.nameChars))}`);
}

function checkSettings(room: Room): void {
  if (characters(room.title) > FIXED.titleChars) throw invalid("title", `at most ${FIXED.titleChars} characters`);
  const { max } = LIMIT_TABLE.maxMembersPerRoom;
  if (room.capacity < 0 || room.capacity > max) throw invalid("capacity", `0 to ${max}`);
  if (room.slowModeMs < 0 || room.slowModeMs > FIXED.slowModeMs) {
    throw invalid("slow_mode_ms", `0 to ${FIXED.slowModeMs}`);
  }
  const metadata = Object.entries(room.metadata);
  if (metadata.length > FIXED.metadataKeys) throw invalid("metadata", `at most ${FIXED.metadataKeys} keys`);
  for (const [key, value] of metadata) {
    if (key === "" || characters(key) > FIXED.metadataKeyChars) {
      throw invalid("metadata", `a key has 1 to ${FIXED.metadataKeyChars} characters`);
    }
    if (characters(value) > FIXED.metadataValueChars) {
      throw invalid("metadata", `a value has at most ${FIXED.metadataValueChars} characters`);
    }
  }
}

function invalid(field: string, rule: string): RoomError {
  return new RoomError("invalid_argument", `${field}: ${rule}`, { metadata: { field } });
}
