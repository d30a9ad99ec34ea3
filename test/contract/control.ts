import { describe, expect, it } from "vitest";
import type { Broker } from "../../broker/broker.ts";
import { encodeToken } from "../../broker/subjects.ts";
import { type Engine, useStorage } from "./engine.ts";
import { ControlRecorder } from "./recorder.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const KEY = `entry.${encodeToken("table:7@vip")}.${encodeToken("anna|1")}`;

/** The control log: last values, one order of changes, watches. */
export function controlContract(engine: Engine): void {
  describe("control log", () => {
    const storage = useStorage(engine);

    it("keeps the last value of a key", async () => {
      const { control } = await storage.open();
      expect(await control.get(KEY)).toBeUndefined();
      const first = await control.put(KEY, bytes("one"));
      const second = await control.put(KEY, bytes("two"));
      expect(second).toBeGreaterThan(first);
      expect(await read(control, KEY)).toEqual([second, "two"]);
      const other = await control.put("notice", bytes("hello"));
      expect(other).toBeGreaterThan(second);
      expect(await read(control, KEY)).toEqual([second, "two"]);
    });

    it("keeps any bytes, none too", async () => {
      const { control } = await storage.open();
      const value = Uint8Array.from({ length: 256 }, (_, index) => index);
      await control.put(KEY, value);
      await control.put("notice", new Uint8Array());
      expect([...((await control.get(KEY))?.value ?? [])]).toEqual([...value]);
      expect((await control.get("notice"))?.value).toHaveLength(0);
    });

    it("creates a key only where there is none", async () => {
      const { control } = await storage.open();
      const created = await control.create(KEY, bytes("mine"));
      expect(await control.create(KEY, bytes("yours"))).toBeUndefined();
      expect(await read(control, KEY)).toEqual([created, "mine"]);
      await control.delete(KEY);
      const again = await control.create(KEY, bytes("yours"));
      expect(again).toBeGreaterThan(created ?? Number.POSITIVE_INFINITY);
      expect(await read(control, KEY)).toEqual([again, "yours"]);
    });

    it("lets exactly one of many creates win", async () => {
      const { control } = await storage.open();
      const names = Array.from({ length: 20 }, (_, index) => `creator ${index}`);
      const revisions = await Promise.all(names.map((name) => control.create("secret.session", bytes(name))));
      const winners = names.filter((_, index) => revisions[index] !== undefined);
      expect(winners).toHaveLength(1);
      expect((await read(control, "secret.session"))[1]).toBe(winners[0]);
    });

    it("deletes a key, as often as asked", async () => {
      const { control } = await storage.open();
      const put = await control.put(KEY, bytes("one"));
      const deleted = await control.delete(KEY);
      expect(deleted).toBeGreaterThan(put);
      expect((await control.get(KEY))?.value).toBeUndefined();
      expect(await control.delete(KEY)).toBeGreaterThanOrEqual(deleted);
      expect(await control.delete("never.was")).toBeGreaterThan(put);
      expect(await control.put(KEY, bytes("two"))).toBeGreaterThan(deleted);
    });

    it("shows a watch the last values in order of revision, then that this was all, then every change", async () => {
      const { control } = await storage.open();
      await control.put("a", bytes("a1"));
      await control.put("b", bytes("b1"));
      await control.put("gone", bytes("x"));
      await control.put("a", bytes("a2"));
      await control.delete("gone");
      const watch = new ControlRecorder();
      await control.watch(watch);
      await watch.caughtUp();
      const alive = watch.entries.filter(({ value }) => value !== undefined);
      expect(alive.map(({ key }) => key)).toEqual(["b", "a"]);
      expect([...watch.state].sort()).toEqual([
        ["a", "a2"],
        ["b", "b1"],
      ]);
      const snapshot = watch.entries.length;
      await control.put("c", bytes("c1"));
      await control.delete("b");
      await watch.revision(await control.put("a", bytes("a3")));
      const changes = watch.entries
        .slice(snapshot)
        .map(({ key, value }) => [key, value && Buffer.from(value).toString()]);
      expect(changes).toEqual([
        ["c", "c1"],
        ["b", undefined],
        ["a", "a3"],
      ]);
      expect(isIncreasing(watch)).toBe(true);
    });

    it("tells a watch why a key was deleted, where that was said", async () => {
      const { control } = await storage.open();
      const watch = new ControlRecorder();
      await control.watch(watch);
      await watch.caughtUp();
      for (const key of ["a", "b", "c"]) await control.put(key, bytes(key));
      await control.delete("a", "disconnected – späť");
      await control.delete("b");
      await control.put("a", bytes("again"));
      await watch.revision(await control.delete("c", ""));
      expect(watch.entries.slice(3).map(({ key, value, reason }) => [key, value?.length, reason])).toEqual([
        ["a", undefined, "disconnected – späť"],
        ["b", undefined, undefined],
        ["a", 5, undefined],
        ["c", undefined, undefined],
      ]);
    });

    it("tells a watch on an empty log that this was all", async () => {
      const { control } = await storage.open();
      const watch = new ControlRecorder();
      await control.watch(watch);
      await watch.caughtUp();
      expect(watch.entries).toEqual([]);
    });

    it("brings every watch to the same state, whenever it begins", async () => {
      const { control } = await storage.open();
      const expected = new Map<string, string>();
      const writing = Array.from({ length: 600 }, (_, index) => {
        const key = `k${index % 40}`;
        if (index % 7 === 0) {
          expected.delete(key);
          return control.delete(key);
        }
        expected.set(key, `v${index}`);
        return control.put(key, bytes(`v${index}`));
      });
      const watches: ControlRecorder[] = [];
      for (let count = 0; count < 5; count++) {
        const watch = new ControlRecorder();
        watches.push(watch);
        await control.watch(watch);
      }
      const last = Math.max(...(await Promise.all(writing)));
      const end = await control.put("end", bytes("end"));
      expect(end).toBeGreaterThan(last);
      expected.set("end", "end");
      for (const watch of watches) {
        await watch.revision(end);
        await watch.caughtUp();
        expect(new Map([...watch.state].sort())).toEqual(new Map([...expected].sort()));
        expect(isIncreasing(watch)).toBe(true);
      }
    });

    it("ends a watch when it is told to", async () => {
      const { control } = await storage.open();
      const [ended, other] = [new ControlRecorder(), new ControlRecorder()];
      const end = await control.watch(ended);
      await control.watch(other);
      await ended.revision(await control.put("a", bytes("a1")));
      const heard = ended.entries.length;
      end();
      end();
      await other.revision(await control.put("b", bytes("b1")));
      expect(ended.entries).toHaveLength(heard);
    });

    it("outlives a restart, and goes on counting", async () => {
      const before = await storage.open();
      const put = await before.control.put("a", bytes("a1"));
      await before.control.put("b", bytes("b1"));
      const deleted = await before.control.delete("b");
      await before.close();
      const { control } = await storage.open();
      expect(await read(control, "a")).toEqual([put, "a1"]);
      expect((await control.get("b"))?.value).toBeUndefined();
      const watch = new ControlRecorder();
      await control.watch(watch);
      await watch.caughtUp();
      expect([...watch.state]).toEqual([["a", "a1"]]);
      expect(await control.put("c", bytes("c1"))).toBeGreaterThan(deleted);
    });
  });
}

/** Revision and text of a key. */
async function read(control: Broker["control"], key: string): Promise<[number | undefined, string | undefined]> {
  const entry = await control.get(key);
  return [entry?.revision, entry?.value && new TextDecoder().decode(entry.value)];
}

function isIncreasing({ entries }: ControlRecorder): boolean {
  return entries.every((entry, index) => entry.revision > (entries[index - 1]?.revision ?? 0));
}
