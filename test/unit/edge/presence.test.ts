import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Presence } from "../../../edge/presence.ts";
import { type Member, MemberSchema } from "../../../gen/baccarat/v1/client_pb.ts";
import { room } from "./stored.ts";

const member = (uid: string): Member => create(MemberSchema, { uid, username: uid.toUpperCase() });
const members = (count: number): Member[] =>
  Array.from({ length: count }, (_, index) => member(`u${String(index).padStart(3, "0")}`));

interface Told {
  type: string;
  payload: { uid?: string; count: number; reason?: string; joined?: { uid: string }[]; left?: { uid: string }[] };
}

let presence: Presence;
let told: Told[];

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  presence = new Presence({ room: room("r"), listener: { onPresence: (json) => told.push(JSON.parse(json) as Told) } });
});
afterEach(() => {
  presence.close();
  vi.useRealTimers();
});

const lines = () =>
  told.splice(0).map(({ type, payload: { uid, count, reason, joined, left } }) => {
    if (type !== "members_changed") return `${type} ${uid} ${count}${reason ? ` ${reason}` : ""}`;
    const names = (list: { uid: string }[] = []) => list.map((one) => one.uid).join(",");
    return `${type} ${count} +${names(joined)} -${names(left)}`;
  });

describe("presence", () => {
  it("tells of each user in a small room", () => {
    presence.joined(1, [member("ann")]);
    presence.entered(member("bob"), 2);
    presence.exited(member("ann"), 1, "left");
    expect(lines()).toEqual(["member_joined bob 2", "member_left ann 1 left"]);
  });

  it("knows everybody in a small room, in order", () => {
    presence.joined(1, [member("bob")]);
    presence.entered(member("ann"), 2);
    expect(presence.all(100)?.map(({ uid }) => uid)).toEqual(["ann", "bob"]);
    expect(presence.all(1)).toBeUndefined();
    presence.forget();
    expect(presence.all(100)).toBeUndefined();
  });

  it("sums up at most once a second in a crowded room", () => {
    presence.joined(100, members(100));
    presence.entered(member("ann"), 101);
    presence.entered(member("bob"), 102);
    presence.entered(member("cy"), 103);
    presence.exited(member("cy"), 102, "left");
    expect(lines()).toEqual(["members_changed 101 +ann -"]);
    vi.advanceTimersByTime(999);
    expect(lines()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(lines()).toEqual(["members_changed 102 +bob -"]);
    vi.advanceTimersByTime(5_000);
    expect(lines()).toEqual([]);
    presence.exited(member("bob"), 101, "left");
    expect(lines()).toEqual(["members_changed 101 + -bob"]);
  });

  it("tells of each again only when the room is clearly smaller", () => {
    presence.joined(101, members(100));
    presence.exited(member("u000"), 80, "left");
    expect(lines()).toEqual(["members_changed 80 + -u000"]);
    presence.exited(member("u001"), 80, "left");
    presence.exited(member("u002"), 79, "left");
    expect(lines()).toEqual([]);
    vi.advanceTimersByTime(1_000);
    expect(lines()).toEqual(["members_changed 79 + -u001,u002"]);
    presence.entered(member("u002"), 80);
    expect(lines()).toEqual(["member_joined u002 80"]);
    expect(presence.all(100)).toBeUndefined();
  });

  it("names at most ten of those who came", () => {
    presence.joined(101, members(100));
    for (let n = 0; n < 30; n++) presence.entered(member(`n${n}`), 102 + n);
    lines();
    vi.advanceTimersByTime(1_000);
    expect(told[0]?.payload.joined).toHaveLength(10);
    expect(told[0]?.payload.count).toBe(131);
  });

  it("tells the difference after the link was broken", () => {
    presence.joined(3, [member("ann"), member("bob"), member("cy")]);
    presence.resync(2, [member("bob"), member("dan")]);
    expect(lines()).toEqual(["member_left ann 2 disconnected", "member_left cy 2 disconnected", "member_joined dan 2"]);
    presence.resync(2, [member("bob"), member("dan")]);
    expect(lines()).toEqual([]);
  });

  it("sums the difference up in a crowded room", () => {
    presence.joined(150, members(100));
    presence.resync(150, members(100));
    expect(lines()).toEqual([]);
    presence.resync(140, members(100));
    expect(lines()).toEqual(["members_changed 140 + -"]);
  });

  it("has nothing to tell once nobody is left", () => {
    presence.joined(101, members(100));
    presence.entered(member("ann"), 102);
    presence.entered(member("bob"), 103);
    lines();
    presence.forget();
    vi.advanceTimersByTime(5_000);
    expect(lines()).toEqual([]);
  });
});
