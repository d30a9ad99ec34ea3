import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import type { ControlEntry, ControlListener, ControlStore } from "../../../../broker/broker.ts";
import {
  BanRecordSchema,
  EdgeFenceSchema,
  InvitationRecordSchema,
  MemberEntrySchema,
  MuteRecordSchema,
  RoomRecordSchema,
} from "../../../../gen/baccarat/v1/control_pb.ts";
import { controlKeys } from "../../../../services/control-keys.ts";
import type { RoomId } from "../../../../services/ids.ts";
import { DEFAULT_LIMITS } from "../../../../services/limits.ts";
import { ControlFold } from "../../../../services/room/control-fold.ts";
import { quietLog, room, uid } from "./replica.ts";

/** Rooms and users that steps refer to by number. */
export const ROOMS = [room("a"), room("b")];
export const UIDS = [uid("ann"), uid("bob"), uid("cyd"), uid("dan")];
const RUNS = ["run-1", "run-2"];
/** Most members of a room. */
export const CAPACITY = 2;

/** What a fold is handed: a log, from some place on as the last values of its keys. */
export class RecordedLog implements ControlStore {
  readonly entries: ControlEntry[] = [];
  readonly #watchers = new Set<ControlListener>();

  write(key: string, value: Uint8Array | undefined, reason?: string): void {
    const entry = { key, revision: this.entries.length + 1, value, reason };
    this.entries.push(entry);
    for (const watcher of this.#watchers) watcher.onEntry(entry);
  }

  async watch(listener: ControlListener): Promise<() => void> {
    const last = new Map<string, ControlEntry>();
    for (const entry of this.entries) {
      last.delete(entry.key);
      last.set(entry.key, entry);
    }
    for (const entry of last.values()) if (entry.value !== undefined) listener.onEntry(entry);
    listener.onCaughtUp();
    this.#watchers.add(listener);
    return () => this.#watchers.delete(listener);
  }

  async put(key: string, value: Uint8Array): Promise<number> {
    this.write(key, value);
    return this.entries.length;
  }

  async create(): Promise<undefined> {
    return undefined;
  }

  async delete(key: string, reason?: string): Promise<number> {
    this.write(key, undefined, reason);
    return this.entries.length;
  }

  async get(key: string): Promise<ControlEntry | undefined> {
    return this.entries.findLast((entry) => entry.key === key);
  }
}

/** Something that is written. */
export type Step =
  | {
      readonly kind: "enter" | "evict" | "leave";
      readonly room: number;
      readonly uid: number;
      readonly run: number;
      readonly device: number;
    }
  | { readonly kind: "ban" | "mute"; readonly room: number; readonly uid: number; readonly lasts: number | undefined }
  | {
      readonly kind: "unban" | "lift" | "unmute" | "invite" | "uninvite";
      readonly room: number;
      readonly uid: number;
    }
  | { readonly kind: "fence"; readonly run: number }
  | { readonly kind: "delete_room" | "create_room"; readonly room: number };

const at = fc.record({ room: fc.nat(1), uid: fc.nat(3), run: fc.nat(1), device: fc.nat(1) });
const whom = { room: fc.nat(1), uid: fc.nat(3) };
const lasts = fc.option(fc.integer({ min: 1, max: 10 }), { nil: undefined });
/** Any of them. */
export const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: at.map((place) => ({ kind: "enter" as const, ...place })) },
  { weight: 8, arbitrary: at.map((place) => ({ kind: "leave" as const, ...place })) },
  { weight: 3, arbitrary: at.map((place) => ({ kind: "evict" as const, ...place })) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom("ban" as const, "mute" as const), ...whom, lasts }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom(...(["unban", "lift", "unmute", "invite", "uninvite"] as const)),
      ...whom,
    }),
  },
  { weight: 1, arbitrary: fc.nat(1).map((run) => ({ kind: "fence" as const, run })) },
  { weight: 1, arbitrary: fc.nat(1).map((index) => ({ kind: "delete_room" as const, room: index })) },
  { weight: 1, arbitrary: fc.nat(1).map((index) => ({ kind: "create_room" as const, room: index })) },
);

/** Writes a step. Time passes with the log: what is written at a place is written at that time. */
export function write(log: RecordedLog, step: Step): void {
  const now = log.entries.length;
  switch (step.kind) {
    case "ban":
    case "mute": {
      const [id, user] = [roomAt(step.room), UIDS[step.uid] ?? uid("nobody")];
      const ends = step.lasts === undefined ? {} : { expireTime: timestampFromMs(now + step.lasts) };
      const decision = { roomId: id, uid: user, by: "mod", ...ends };
      if (step.kind === "ban") {
        log.write(controlKeys.ban(id, user), toBinary(BanRecordSchema, create(BanRecordSchema, { ban: decision })));
      } else {
        log.write(controlKeys.mute(id, user), toBinary(MuteRecordSchema, create(MuteRecordSchema, { mute: decision })));
      }
      return;
    }
    case "lift": {
      const lifted = create(MuteRecordSchema, { lifted: { by: "mod" } });
      log.write(
        controlKeys.mute(roomAt(step.room), UIDS[step.uid] ?? uid("nobody")),
        toBinary(MuteRecordSchema, lifted),
      );
      return;
    }
    case "unban":
    case "unmute":
    case "uninvite": {
      const key = { unban: controlKeys.ban, unmute: controlKeys.mute, uninvite: controlKeys.invite }[step.kind];
      log.write(key(roomAt(step.room), UIDS[step.uid] ?? uid("nobody")), undefined);
      return;
    }
    case "invite": {
      const record = create(InvitationRecordSchema, { invitation: { by: "mod" } });
      const key = controlKeys.invite(roomAt(step.room), UIDS[step.uid] ?? uid("nobody"));
      log.write(key, toBinary(InvitationRecordSchema, record));
      return;
    }
    case "fence":
      log.write(controlKeys.fence(RUNS[step.run] ?? ""), toBinary(EdgeFenceSchema, create(EdgeFenceSchema)));
      return;
    case "delete_room":
    case "create_room": {
      const deleted = step.kind === "delete_room";
      const record = create(RoomRecordSchema, { deleted, ...(!deleted && { room: { capacity: CAPACITY } }) });
      log.write(controlKeys.room(roomAt(step.room)), toBinary(RoomRecordSchema, record));
      return;
    }
  }
  const [user, run] = [UIDS[step.uid] ?? uid("nobody"), RUNS[step.run] ?? ""];
  const clientId = `${user}-${run}-${step.device}`;
  const key = controlKeys.entry(roomAt(step.room), user, run, clientId);
  const evicted = step.kind === "evict" ? { evicted: { reason: "spam", by: "mod" } } : {};
  const profile = { uid: user };
  const writeTime = timestampFromMs(now);
  const entry = create(MemberEntrySchema, { clientId, incarnation: run, profile, writeTime, ...evicted });
  log.write(key, step.kind === "leave" ? undefined : toBinary(MemberEntrySchema, entry));
}

/** A room by its number. */
export function roomAt(index: number): RoomId {
  return ROOMS[index] ?? room("a");
}

/** A fold that has heard the log so far and goes on. */
export async function follow(log: RecordedLog): Promise<ControlFold> {
  const fold = new ControlFold({
    control: log,
    limits: { ...DEFAULT_LIMITS, maxMembersPerRoom: CAPACITY },
    log: quietLog(),
  });
  await fold.start();
  return fold;
}
