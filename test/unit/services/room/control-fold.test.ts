import { timestampMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ControlListener, ControlStore } from "../../../../broker/broker.ts";
import { controlKeys, parseControlKey } from "../../../../services/control-keys.ts";
import { DEFAULT_LIMITS } from "../../../../services/limits.ts";
import { ControlFold } from "../../../../services/room/control-fold.ts";
import type { FoldedEntry } from "../../../../services/room/folded.ts";
import { endOf } from "../../../../services/room/standings.ts";
import { CAPACITY, follow, RecordedLog, ROOMS, roomAt, steps, UIDS, write } from "./recorded-log.ts";
import { quietLog, room } from "./replica.ts";

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
      banned: [...fold.standings.bans(id).from("")].map(([name, ban]) => [name, endOf(ban)]),
      muted: [...fold.standings.mutes(id)].map(([name, mute]) => [name, endOf(mute)]).toSorted(),
      invited: [...fold.standings.invitations(id).keys()].toSorted(),
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

  it("count nobody who came while banned, nor anybody who was there when banned", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { maxLength: 100 }), async (taken) => {
        const log = new RecordedLog();
        const fold = await follow(log);
        for (const step of taken) {
          write(log, step);
          if (step.kind === "ban") {
            expect(fold.room(roomAt(step.room))?.members.has(UIDS[step.uid] ?? "")).not.toBe(true);
          }
          for (const entry of allEntries(fold)) {
            const ban = fold.standings.bans(entry.room).get(entry.uid);
            const { writeTime } = entry.value;
            if (entry.out !== undefined || ban === undefined || writeTime === undefined) continue;
            expect(timestampMs(writeTime)).toBeGreaterThanOrEqual(endOf(ban));
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("tell of a mute when it begins, changes and is lifted, and by whom, but not twice", async () => {
    const log = new RecordedLog();
    const fold = await follow(log);
    const heard: unknown[] = [];
    fold.onChange((change) => {
      if (change.kind === "mute") heard.push([change.uid, endOf(change.mute), change.by]);
    });
    for (const lasts of [undefined, 5]) write(log, { kind: "mute", room: 0, uid: 0, lasts });
    for (const kind of ["lift", "lift", "unmute", "unmute"] as const) write(log, { kind, room: 0, uid: 0 });
    write(log, { kind: "mute", room: 0, uid: 1, lasts: 1 });
    write(log, { kind: "unmute", room: 0, uid: 1 });
    expect(heard).toEqual([
      ["ann", Number.POSITIVE_INFINITY, "mod"],
      ["ann", 6, "mod"],
      ["ann", 0, "mod"],
      ["bob", 7, "mod"],
      ["bob", 0, ""],
    ]);
    expect([...fold.standings.expired(1_000)]).toEqual([]);
  });

  it("know what ended by itself, and where it is stored", async () => {
    const log = new RecordedLog();
    const fold = await follow(log);
    write(log, { kind: "ban", room: 0, uid: 0, lasts: 3 });
    write(log, { kind: "ban", room: 0, uid: 1, lasts: undefined });
    write(log, { kind: "mute", room: 1, uid: 2, lasts: 3 });
    write(log, { kind: "mute", room: 1, uid: 3, lasts: undefined });
    write(log, { kind: "lift", room: 1, uid: 3 });
    const expired = (before: number) => [...fold.standings.expired(before)].map((one) => [one.uid, one.revision]);
    expect(expired(4)).toEqual([
      ["ann", 1],
      ["dan", 5],
    ]);
    expect(expired(100).toSorted()).toEqual([
      ["ann", 1],
      ["cyd", 3],
      ["dan", 5],
    ]);
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

  it("hear why a connection left, from the deletion alone", async () => {
    const log = new RecordedLog();
    const fold = await follow(log);
    const reasons: string[] = [];
    fold.onChange((change) => change.kind === "exited" && reasons.push(change.reason));
    for (const reason of ["disconnected", undefined]) {
      write(log, { kind: "enter", room: 0, uid: 0, run: 0, device: 0 });
      await log.delete(log.entries.at(-1)?.key ?? "", reason);
    }
    expect(reasons).toEqual(["disconnected", "left"]);
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
    const kinds = ["room.a", "entry.a.ann.run.c", "client.run.c", "lease.run", "fence.run", "user.ann", "notice"];
    for (const key of [...kinds, "ban.a.ann", "mute.a.ann", "invite.a.ann", "audit.x"]) {
      expect(parseControlKey(key)).toBeDefined();
      log.write(key, garbage);
    }
    for (const key of ["", "room", "room.a.b", "entry.a.ann", "room.=2A", "other.x"]) log.write(key, garbage);
    write(log, { kind: "enter", room: 0, uid: 0, run: 0, device: 0 });
    expect(fold.room(room("a"))?.members.size).toBe(1);
  });
});
