import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Command, type Registration, Roster } from "../../../edge/roster.ts";
import { room } from "./stored.ts";

const R = room("r");
let roster: Roster<{ registration: Registration }>;
let client: { registration: Registration };
let told: string[];

const line = (command: Command) => {
  const value = command.value as { clientId?: string; roomId?: string; reason?: string; client?: { clientId: string } };
  return [command.case, value.client?.clientId ?? value.clientId, value.roomId, value.reason].filter(Boolean).join(" ");
};
const held = () => [...roster.commands()].map(line);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
  told = [];
  client = { registration: { client: { clientId: "c1" } } };
  roster = new Roster({
    describe: ({ registration }) => registration,
    tell: (command) => told.push(line(command)),
  });
  roster.connected("c1", client);
  roster.joined("c1", R);
  told = [];
});
afterEach(() => {
  roster.close();
  vi.useRealTimers();
});

describe("a roster", () => {
  it("tells of a goodbye at once", () => {
    roster.disconnected("c1", "left", 0);
    expect(told).toEqual(["disconnect c1 left"]);
    expect(held()).toEqual([]);
  });

  it("tells what has changed of a connection, and keeps its rooms", () => {
    client.registration = { client: { clientId: "c1" }, roles: ["moderator"] };
    roster.changed("c1");
    roster.changed("c2");
    expect(told).toEqual(["connect c1"]);
    expect([...roster.commands()][0]).toMatchObject({ value: { roles: ["moderator"] } });
    expect(held()).toEqual(["connect c1", "hold c1 r"]);
  });

  it("knows the rooms of a connection that is in many", () => {
    const many = Array.from({ length: 40 }, (_, index) => room(`many-${index}`));
    for (const one of [...many, ...many]) roster.joined("c1", one);
    for (const one of many.slice(1)) roster.left("c1", one, "left");
    expect(held()).toEqual(["connect c1", "hold c1 r", "hold c1 many-0"]);
  });

  it("keeps a broken connection's memberships for their grace", () => {
    roster.disconnected("c1", "disconnected", performance.now() + 6_000);
    vi.advanceTimersByTime(5_500);
    expect(told).toEqual([]);
    expect(held()).toEqual(["connect c1", "hold c1 r"]);
    vi.advanceTimersByTime(1_000);
    expect(told).toEqual(["disconnect c1 disconnected"]);
    expect(held()).toEqual([]);
  });

  it("ends at once what was silent for longer than its grace", () => {
    roster.disconnected("c1", "disconnected", performance.now() - 1);
    expect(told).toEqual(["disconnect c1 disconnected"]);
  });

  it("ends a grace when told to, and nothing else", () => {
    roster.forget("c1");
    expect(told).toEqual([]);
    roster.disconnected("c1", "disconnected", performance.now() + 10_000);
    roster.forget("c1");
    expect(told).toEqual(["disconnect c1 disconnected"]);
    vi.advanceTimersByTime(60_000);
    expect(told).toHaveLength(1);
  });

  it("undoes a join of whom is gone", () => {
    roster.disconnected("c1", "left", 0);
    roster.joined("c1", R);
    expect(told.at(-1)).toBe("leave c1 r disconnected");
  });

  it("forgets everything without a word", () => {
    roster.clear();
    roster.disconnected("c1", "left", 0);
    expect({ told, held: held() }).toEqual({ told: [], held: [] });
  });
});
