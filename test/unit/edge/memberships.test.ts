import { describe, expect, it } from "vitest";
import type { Member } from "../../../edge/member.ts";
import { Memberships } from "../../../edge/memberships.ts";
import { room } from "./stored.ts";

const [A, B] = [room("a"), room("b")];
const member = (id: string): Member => ({ room: { id } }) as unknown as Member;

describe("memberships", () => {
  it("are found by their room, the last one joined being the current one", () => {
    const rooms = new Memberships();
    expect([rooms.size, rooms.last, rooms.get(A), rooms.has(A)]).toEqual([0, undefined, undefined, false]);
    const [a, b] = [member("a"), member("b")];
    rooms.add(a);
    rooms.add(b);
    expect([rooms.size, rooms.last, rooms.get(A), rooms.has(B)]).toEqual([2, b, a, true]);
    rooms.add(a);
    expect(rooms.all()).toEqual([b, a]);
    expect(rooms.take(A)).toBe(a);
    expect(rooms.take(A)).toBeUndefined();
    expect(rooms.all()).toEqual([b]);
  });

  it("are the same where there are many", () => {
    const rooms = new Memberships();
    const many = Array.from({ length: 40 }, (_, index) => member(`many-${index}`));
    for (const one of many) rooms.add(one);
    expect([rooms.size, rooms.last, rooms.all()]).toEqual([40, many[39], many]);
    expect([rooms.get(room("many-7")), rooms.has(room("many-40"))]).toEqual([many[7], false]);
    rooms.add(many[0] as Member);
    expect([rooms.size, rooms.last]).toEqual([40, many[0]]);
    expect([rooms.take(room("many-0")), rooms.take(room("many-0")), rooms.last]).toEqual([
      many[0],
      undefined,
      many[39],
    ]);
    for (const one of many) rooms.take(one.room.id);
    expect([rooms.size, rooms.last, rooms.all()]).toEqual([0, undefined, []]);
  });
});
