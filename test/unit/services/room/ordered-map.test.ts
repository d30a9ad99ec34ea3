import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OrderedMap } from "../../../../services/room/ordered-map.ts";

describe("OrderedMap", () => {
  it("does what a map sorted by its keys does", () => {
    const operation = fc.record({ set: fc.boolean(), key: fc.nat(200).map(String), value: fc.nat() });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 500 }), fc.nat(200).map(String), (operations, from) => {
        const map = new OrderedMap<number>();
        const model = new Map<string, number>();
        for (const { set, key, value } of operations) {
          if (set) {
            map.set(key, value);
            model.set(key, value);
          } else {
            expect(map.delete(key)).toBe(model.delete(key));
          }
          expect(map.get(key)).toBe(model.get(key));
        }
        const sorted = [...model].toSorted(([a], [b]) => (a < b ? -1 : 1));
        expect([...map.from("")]).toEqual(sorted);
        expect([...map.from(from)]).toEqual(sorted.filter(([key]) => key >= from));
        expect([...map.values()].toSorted()).toEqual([...model.values()].toSorted());
        expect(map.size).toBe(model.size);
      }),
    );
  });

  it("keeps its order over many chunks, filled and emptied in any order", () => {
    const keys = Array.from({ length: 5_000 }, (_, index) => String((index * 7_919) % 5_000).padStart(4, "0"));
    const map = new OrderedMap<string>();
    for (const key of keys) map.set(key, key);
    expect([...map.from("2500")].map(([key]) => key)).toEqual(keys.toSorted().slice(2_500));
    for (const key of keys.slice(0, 4_990)) map.delete(key);
    expect([...map.from("")].map(([key]) => key)).toEqual(keys.slice(4_990).toSorted());
    for (const key of keys) map.delete(key);
    expect([...map.from("")]).toEqual([]);
    map.set("a", "a");
    expect([...map.from("")]).toEqual([["a", "a"]]);
  });
});
