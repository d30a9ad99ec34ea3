import { describe, expect, it } from "vitest";
import type { Member } from "../../../edge/hosted-room.ts";
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
});
