import { create } from "@bufbuild/protobuf";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import { OverloadPolicy, OverloadPolicySchema, type Room, RoomSchema } from "../../gen/baccarat/v1/room_pb.ts";
import { RoomError } from "../errors.ts";
import { characters, FIXED, LIMIT_TABLE } from "../limits.ts";

/** The settings an owner may choose, by their paths; everything else in a Room is output only. */
const SETTINGS: ReadonlyMap<string, Setting> = new Map([
  ["title", "title"],
  ["capacity", "capacity"],
  ["private", "private"],
  ["slow_mode_ms", "slowModeMs"],
  ["frozen", "frozen"],
  ["metadata", "metadata"],
  ["overload_policy", "overloadPolicy"],
  ["conflation_interval_ms", "conflationIntervalMs"],
]);

type Setting =
  | "title"
  | "capacity"
  | "private"
  | "slowModeMs"
  | "frozen"
  | "metadata"
  | "overloadPolicy"
  | "conflationIntervalMs";

/** Those that are between the owner and the edges: members are not told of them. */
const NOT_TOLD: ReadonlySet<Setting> = new Set(["overloadPolicy", "conflationIntervalMs"]);

/** Those that moderators of the room may change, too. */
const FOR_MODERATORS: ReadonlySet<string> = new Set(["slow_mode_ms", "frozen"]);

/** True when a mask names nothing but what moderators may change. */
export function isForModerators(mask: FieldMask | undefined): boolean {
  return mask?.paths.every((path) => FOR_MODERATORS.has(path)) ?? false;
}

/** The settings that differ, by their paths, with their new values as text; of metadata the keys that differ. */
export function changedSettings(before: Room, after: Room): Record<string, string> {
  const changed = [...SETTINGS].flatMap(([path, setting]) => {
    if (setting === "metadata") {
      const keys = changedKeys(before.metadata, after.metadata);
      return keys.length === 0 ? [] : [[path, keys.join(",")]];
    }
    if (before[setting] === after[setting]) return [];
    return [[path, setting === "overloadPolicy" ? policyName(after.overloadPolicy) : String(after[setting])]];
  });
  return Object.fromEntries(changed);
}

function changedKeys(before: Room["metadata"], after: Room["metadata"]): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => before[key] !== after[key]);
}

/** True when any setting that members are told of is not the default. */
export function isConfigured(room: Room): boolean {
  return [...SETTINGS.values()].some((setting) => !NOT_TOLD.has(setting) && isSet(room[setting]));
}

/** What to do when clients cannot take everything, defaults filled in. */
export function overloadSettings(room: Room | undefined): Pick<Room, "overloadPolicy" | "conflationIntervalMs"> {
  return {
    overloadPolicy: room?.overloadPolicy || OverloadPolicy.QUEUE,
    conflationIntervalMs: room?.conflationIntervalMs || FIXED.conflationMs,
  };
}

/** A new room with the settings of `asked` and nothing else of it. @throws RoomError invalid_argument. */
export function newSettings(asked: Room): Room {
  return withSettings(create(RoomSchema, { roomId: asked.roomId }), asked, SETTINGS.values());
}

/**
 * `room` with the settings named by the mask taken from `asked`; without a mask, those that `asked` sets (AIP-134).
 * @throws RoomError invalid_argument.
 */
export function maskedSettings(room: Room, asked: Room, mask: FieldMask | undefined): Room {
  const settings =
    mask === undefined ? [...SETTINGS.values()].filter((setting) => isSet(asked[setting])) : mask.paths.map(at);
  return withSettings(room, asked, settings);
}

function withSettings(room: Room, asked: Room, settings: Iterable<Setting>): Room {
  const chosen = Object.fromEntries([...settings].map((setting) => [setting, asked[setting]]));
  const result: Room = { ...room, ...chosen };
  checkSettings(result);
  return result;
}

/** True when it is not at its default. */
function isSet(value: Room[Setting]): boolean {
  return typeof value === "object" ? Object.keys(value).length > 0 : Boolean(value);
}

function at(path: string): Setting {
  const setting = SETTINGS.get(path);
  if (setting !== undefined) return setting;
  throw invalid("update_mask", `no setting has the path ${JSON.stringify(path.slice(0, FIXED.nameChars))}`);
}

function checkSettings(room: Room): void {
  if (characters(room.title) > FIXED.titleChars) throw invalid("title", `at most ${FIXED.titleChars} characters`);
  const { max } = LIMIT_TABLE.maxMembersPerRoom;
  if (room.capacity < 0 || room.capacity > max) throw invalid("capacity", `0 to ${max}`);
  if (room.slowModeMs < 0 || room.slowModeMs > FIXED.slowModeMs) {
    throw invalid("slow_mode_ms", `0 to ${FIXED.slowModeMs}`);
  }
  if (OverloadPolicySchema.value[room.overloadPolicy] === undefined) throw invalid("overload_policy", "is unknown");
  const { conflationIntervalMs: interval } = room;
  if (interval !== 0 && (interval < FIXED.conflationMinMs || interval > FIXED.conflationMaxMs)) {
    throw invalid("conflation_interval_ms", `0, or ${FIXED.conflationMinMs} to ${FIXED.conflationMaxMs}`);
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

function policyName(policy: OverloadPolicy): string {
  return OverloadPolicySchema.value[policy]?.localName.toLowerCase() ?? String(policy);
}

function invalid(field: string, rule: string): RoomError {
  return new RoomError("invalid_argument", `${field}: ${rule}`, { metadata: { field } });
}
