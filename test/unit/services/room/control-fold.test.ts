import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ControlEntry, ControlListener, ControlStore } from "../../../../broker/broker.ts";
import { EdgeFenceSchema, MemberEntrySchema, RoomRecordSchema } from "../../../../gen/baccarat/v1/control_pb.ts";
import { controlKeys, parseControlKey } from "../../../../services/control-keys.ts";
import type { RoomId } from "../../../../services/ids.ts";
import { DEFAULT_LIMITS } from "../../../../services/limits.ts";
import { ControlFold } from "../../../../services/room/control-fold.ts";
import type { FoldedEntry } from "../../../../services/room/folded.ts";
import { quietLog, room, uid } from "./replica.ts";

const ROOMS = [room("a"), room("b")];
const UIDS = [uid("ann"), uid("bob"), uid("cyd"), uid("dan")];
const RUNS = ["run-1", "run-2"];
const CAPACITY = 2;

/** What a fold is handed: a log, from some place on as the last values of its keys. */
class RecordedLog implements ControlStore {
  readonly entries: ControlEntry[] = [];
  readonly #watchers = new Set<ControlListener>();

  write(key: string, value: Uint8Array | undefined): void {
    const entry = { key, revision: this.entries.length + 1, value };
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

  async delete(key: string): Promise<number> {
    this.write(key, undefined);
    return this.entries.length;
  }

  async get(key: string): Promise<ControlEntry | undefined> {
    return this.entries.findLast((entry) => entry.key === key);
  }
}

type Step =
  | {
      readonly kind: "enter" | "evict" | "leave";
      readonly room: number;
      readonly uid: number;
      readonly run: number;
      readonly device: number;
    }
  | { readonly kind: "fence"; readonly run: number }
  | { readonly kind: "delete_room" | "create_room"; readonly room: number };

const at = fc.record({ room: fc.nat(1), uid: fc.nat(3), run: fc.nat(1), device: fc.nat(1) });
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: at.map((place) => ({ kind: "enter" as const, ...place })) },
  { weight: 8, arbitrary: at.map((place) => ({ kind: "leave" as const, ...place })) },
  { weight: 3, arbitrary: at.map((place) => ({ kind: "evict" as const, ...place })) },
  { weight: 1, arbitrary: fc.nat(1).map((run) => ({ kind: "fence" as const, run })) },
  { weight: 1, arbitrary: fc.nat(1).map((index) => ({ kind: "delete_room" as const, room: index })) },
  { weight: 1, arbitrary: fc.nat(1).map((index) => ({ kind: "create_room" as const, room: index })) },
);

function write(log: RecordedLog, step: Step): void {
  switch (step.kind) {
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
  const entry = create(MemberEntrySchema, { clientId, incarnation: run, profile: { uid: user }, ...evicted });
  log.write(key, step.kind === "leave" ? undefined : toBinary(MemberEntrySchema, entry));
}

function roomAt(index: number): RoomId {
  return ROOMS[index] ?? room("a");
}

async function follow(log: RecordedLog): Promise<ControlFold> {
  const fold = new ControlFold({
    control: log,
    limits: { ...DEFAULT_LIMITS, maxMembersPerRoom: CAPACITY },
    log: quietLog(),
  });
  await fold.start();
  return fold;
}

function allEntries(fold: ControlFold): FoldedEntry[] {
  return ROOMS.flatMap((id) => [...(fold.room(id)?.entries.values() ?? [])]);
}

/** Everything the fold says, as plain values. */
function picture(fold: ControlFold) {
  return ROOMS.map((id) => {
    const found = fold.room(id);
    return {
      id,
      deleted: found?.record?.deleted ?? false,
      members: [...(found?.members.from("") ?? [])].map(([name, member]) => [
        name,
        [...member.entries.keys()].toSorted(),
      ]),
      hosts: Object.fromEntries([...(found?.hosts ?? [])].toSorted()),
      listed: fold.presence.listed.has(id),
    };
  });
}

function counters(fold: ControlFold) {
  const { presence, connections } = fold;
  return [presence.members, presence.occupied, connections.clients.size, connections.registered];
}

/** What writers owe the log: entries that do not count are deleted. */
function settle(log: RecordedLog, fold: ControlFold): void {
  for (let out = outOf(fold); out.length > 0; out = outOf(fold)) {
    for (const { room: id, uid: user, incarnation, clientId } of out) {
      log.write(controlKeys.entry(id, user, incarnation, clientId), undefined);
    }
  }
}

function outOf(fold: ControlFold): FoldedEntry[] {
  return allEntries(fold).filter((entry) => entry.out !== undefined);
}

describe("folds of one log", () => {
  it("agree, wherever in the log they began, as soon as the deletions have landed", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(steps, { maxLength: 60 }),
        fc.array(steps, { maxLength: 60 }),
        async (first, second) => {
          const log = new RecordedLog();
          const full = await follow(log);
          const twin = await follow(log);
          for (const step of first) write(log, step);
          const late = await follow(log);
          for (const step of second) write(log, step);
          expect(picture(twin)).toEqual(picture(full));
          settle(log, full);
          const fresh = await follow(log);
          for (const fold of [twin, late, fresh]) {
            expect(picture(fold)).toEqual(picture(full));
            expect(counters(fold)).toEqual(counters(full));
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("count no room above its capacity, and tell each entering and leaving once and in turn", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { maxLength: 100 }), async (taken) => {
        const log = new RecordedLog();
        const fold = await follow(log);
        const present = new Map<string, boolean>();
        fold.onChange((change) => {
          if (change.kind !== "entered" && change.kind !== "exited") return;
          const key = `${change.room.id} ${change.member.uid}`;
          expect(present.get(key) ?? false).toBe(change.kind === "exited");
          present.set(key, change.kind === "entered");
        });
        for (const step of taken) {
          write(log, step);
          for (const id of ROOMS) expect(fold.room(id)?.members.size ?? 0).toBeLessThanOrEqual(CAPACITY);
        }
        const told = [...present].flatMap(([key, here]) => (here ? [key] : [])).toSorted();
        const actual = ROOMS.flatMap((id) =>
          [...(fold.room(id)?.members.from("") ?? [])].map(([name]) => `${id} ${name}`),
        );
        expect(told).toEqual(actual);
      }),
      { numRuns: 1_000 },
    );
  });

  it("take over who is there, even when the limit was lowered since", async () => {
    const log = new RecordedLog();
    for (const id of [0, 1, 2, 3]) write(log, { kind: "enter", room: 0, uid: id, run: 0, device: 0 });
    const fold = await follow(log);
    expect(fold.room(room("a"))?.members.size).toBe(4);
    write(log, { kind: "enter", room: 0, uid: 0, run: 1, device: 0 });
    write(log, { kind: "leave", room: 0, uid: 1, run: 0, device: 0 });
    write(log, { kind: "enter", room: 0, uid: 1, run: 1, device: 1 });
    expect([...(fold.room(room("a"))?.members.from("") ?? [])].map(([name]) => name)).toEqual(["ann", "cyd", "dan"]);
  });

  it("forget what nothing is stored of", async () => {
    const log = new RecordedLog();
    const fold = await follow(log);
    for (const kind of ["enter", "leave"] as const) write(log, { kind, room: 0, uid: 0, run: 0, device: 0 });
    expect(fold.room(room("a"))).toBeUndefined();
    expect(fold.connections.incarnations.size).toBe(0);
    expect(fold.connections.clients.size).toBe(0);
  });
});

describe("a fold", () => {
  it("hears a log that begins again only once", async () => {
    const log = new RecordedLog();
    let watcher: ControlListener | undefined;
    const again: ControlStore = Object.assign(Object.create(log), {
      watch: (listener: ControlListener) => {
        watcher = listener;
        return log.watch(listener);
      },
    });
    const fold = new ControlFold({ control: again, limits: DEFAULT_LIMITS, log: quietLog() });
    await fold.start();
    const heard: string[] = [];
    fold.onChange((change) => heard.push(change.kind));
    write(log, { kind: "enter", room: 0, uid: 0, run: 0, device: 0 });
    watcher?.onInterrupted();
    expect(fold.healthy).toBe(false);
    for (const entry of log.entries) watcher?.onEntry(entry);
    watcher?.onCaughtUp();
    expect(heard).toEqual(["entry", "entered", "interrupted", "caught_up"]);
  });

  it("resolves waits in the order of the log, and fails them when it is closed", async () => {
    const log = new RecordedLog();
    const fold = await follow(log);
    const reached: number[] = [];
    const waits = [3, 1, 2].map((revision) => fold.reached(revision).then(() => reached.push(revision)));
    for (let count = 0; count < 3; count++) log.write("unknown.kind", new Uint8Array());
    await Promise.all(waits);
    expect(reached).toEqual([1, 2, 3]);
    const waiting = fold.reached(4);
    fold.close();
    await expect(waiting).rejects.toMatchObject({ reason: "unavailable" });
    await expect(fold.reached(5)).rejects.toMatchObject({ reason: "unavailable" });
  });

  it("goes on past values it cannot read and keys it does not know", async () => {
    const log = new RecordedLog();
    const quiet = quietLog();
    quiet.level = "silent";
    const fold = new ControlFold({ control: log, limits: DEFAULT_LIMITS, log: quiet });
    await fold.start();
    const garbage = Uint8Array.of(0xff, 0xff, 0xff);
    for (const key of ["room.a", "entry.a.ann.run.c", "client.run.c", "lease.run", "fence.run", "user.ann", "notice"]) {
      expect(parseControlKey(key)).toBeDefined();
      log.write(key, garbage);
    }
    for (const key of ["", "room", "room.a.b", "entry.a.ann", "room.=2A", "other.x"]) log.write(key, garbage);
    write(log, { kind: "enter", room: 0, uid: 0, run: 0, device: 0 });
    expect(fold.room(room("a"))?.members.size).toBe(1);
  });
});
