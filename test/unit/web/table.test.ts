import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CustomEvent, RoomEvent } from "../../../client/src/types.ts";
import { Table } from "../../../web/src/table.ts";
import { ServerClock } from "../../../web/src/table-clock.ts";
import { readTableEvent } from "../../../web/src/table-events.ts";
import { readTalk } from "../../../web/src/table-history.ts";
import { custom, message } from "./events.ts";
import { asRoomEvents, BEGAN, BETTING_MS, dealShoe, STEP_MS } from "./tables.ts";

const DEALT = asRoomEvents(dealShoe());

/** What a room's snapshot holds after these events: the latest state, and the latest event of the round. */
function snapshotOf(events: typeof DEALT): CustomEvent[] {
  const isState = (event: (typeof DEALT)[number]): boolean => event.event.type === "table.state";
  const state = events.findLast(isState);
  const round = events.findLast((event) => !isState(event) && event.event.type !== "table.shoe");
  return [round, state].flatMap((event) => event?.event ?? []);
}

describe("the table of a room", () => {
  it("is for a latecomer, at every moment of a shoe, what it is for those who saw everything", () => {
    const early = new Table();
    for (const [index, event] of DEALT.entries()) {
      expect(early.take(event)).toBe(true);
      // The one event with no key; its state follows.
      if (event.event.type === "table.shoe") continue;
      const late = new Table();
      late.begin(snapshotOf(DEALT.slice(0, index + 1)), []);
      expect(late.state, `after ${event.event.type}, ${event.seq}`).toEqual(early.state);
    }
    expect(early.state).toMatchObject({ phase: "shuffling", shoe: 2, round: 0, beads: [], marks: [] });
  });

  it("counts down from when the server took the event, whatever the dealer's clock says", () => {
    const at = DEALT.findIndex(({ event }) => event.type === "table.round_opened");
    const table = new Table();
    table.begin([], DEALT.slice(0, at + 1));
    const since = BEGAN + at * STEP_MS;
    expect(table.state).toMatchObject({ phase: "betting", round: 1, since, closesAt: since + BETTING_MS });
    table.begin([], DEALT.slice(0, at + 2));
    expect(table.state).toMatchObject({ phase: "dealing", closesAt: 0, hands: { player: { cards: [] } } });
  });

  it("takes events in any order and however often to begin with, and later none twice", () => {
    const whole = new Table();
    whole.begin([], DEALT.slice(0, 30));
    const mixed = new Table();
    mixed.begin(snapshotOf(DEALT.slice(0, 30)), [...DEALT.slice(20, 30), ...DEALT.slice(0, 30).toReversed()]);
    expect(mixed.state).toEqual(whole.state);
    for (const event of DEALT.slice(0, 30)) expect(mixed.take(event)).toBe(true);
    expect(mixed.state).toEqual(whole.state);
    mixed.begin([], []);
    expect(mixed.state).toBeUndefined();
  });

  it("leaves to the talk what is none of a table's, or not what a table says", () => {
    const table = new Table();
    expect(table.take(message(1, "hello"))).toBe(false);
    expect(table.take(custom(2, { cards: [8, 1] }))).toBe(false);
    expect(table.state).toBeUndefined();
  });

  it("is not upset by any JSON", () => {
    const events = dealShoe();
    const types = [...new Set(events.map(({ type }) => type)), "table.other", "__proto__"];
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.jsonValue(), (type, data) => {
        expect(readTableEvent(type, data)).toBeUndefined();
      }),
    );
    // Nor by a table's own with one field made something else: it is read, or it is not.
    fc.assert(
      fc.property(fc.constantFrom(...events), fc.nat(), fc.jsonValue(), ({ type, data }, pick, value) => {
        const names = Object.keys(data);
        readTableEvent(type, { ...data, [names[pick % names.length] ?? ""]: value });
      }),
    );
  });
});

describe("guesses", () => {
  it("are counted once their round is settled, but for a tie that was not guessed", () => {
    const table = new Table();
    let [right, made] = [0, 0];
    for (const event of DEALT) {
      table.take(event);
      const { state, guesses } = table;
      if (state?.phase === "betting") guesses.make(state, "banker");
      if (state?.phase === "dealing") guesses.make(state, "player");
      if (event.event.type !== "table.result") continue;
      if (state?.result?.winner !== "tie") made += 1;
      if (state?.result?.winner === "banker") right += 1;
      expect(guesses.tally).toEqual({ right, made });
      expect(state && guesses.of(state)).toBe("banker");
    }
    expect(made).toBeGreaterThan(40);
  });

  it("are taken back by guessing the same again", () => {
    const table = new Table();
    table.begin([], DEALT.slice(0, DEALT.findIndex(({ event }) => event.type === "table.round_opened") + 1));
    const { state, guesses } = table;
    if (state === undefined) throw new Error("no table");
    guesses.make(state, "tie");
    guesses.make(state, "player");
    expect(guesses.of(state)).toBe("player");
    guesses.make(state, "player");
    expect(guesses.of(state)).toBeUndefined();
  });
});

describe("the server's clock", () => {
  it("is the device's until something is heard, and then what came least late", () => {
    const at = { ticks: 1_000, local: 5 };
    const clock = new ServerClock({ ticks: () => at.ticks, local: () => at.local });
    expect(clock.now()).toBe(5);
    clock.heard(Number.NaN);
    expect(clock.now()).toBe(5);
    clock.heard(BEGAN - 400);
    at.ticks += 1_000;
    clock.heard(BEGAN + 1_000 - 40);
    clock.heard(BEGAN + 1_000 - 900);
    expect(clock.now()).toBe(BEGAN + 1_000 - 40);
    at.ticks += 500;
    expect(clock.now()).toBe(BEGAN + 1_500 - 40);
  });

  it("may be asked for, and does without an answer", async () => {
    const clock = new ServerClock({ ticks: () => 0, local: () => 7 });
    await clock.ask(() => Promise.reject(new Error("timeout")));
    expect(clock.now()).toBe(7);
    await clock.ask(() => Promise.resolve(BEGAN));
    expect(clock.now()).toBe(BEGAN);
  });

  it("forgets what was heard long ago: a server's clock may be set back", () => {
    const clock = new ServerClock({ ticks: () => 0, local: () => 0 });
    clock.heard(BEGAN + 60_000);
    for (let heard = 0; heard < 20; heard++) clock.heard(BEGAN);
    expect(clock.now()).toBe(BEGAN);
  });
});

describe("older talk", () => {
  /** A room whose log is this. */
  function room(log: readonly RoomEvent[]) {
    const asked: number[] = [];
    const history = async ({ beforeSeq = 0, limit = 0 }: { beforeSeq?: number; limit?: number }) => {
      asked.push(limit);
      const older = log.filter(({ seq }) => seq < beforeSeq);
      return { events: older.slice(-limit), hasMore: older.length > limit };
    };
    return { history, asked };
  }

  it("is looked for behind what the dealer told", async () => {
    const table = new Table();
    table.begin([], DEALT.slice(-50));
    const log = [message(1, "early"), ...DEALT.slice(0, 400)];
    const talk = await readTalk(room(log), table, 10_000);
    expect(talk).toMatchObject({ events: [{ seq: 1 }], oldestSeq: 1, hasMore: false });
  });

  it("is read a page at a time where nobody deals", async () => {
    const log = Array.from({ length: 80 }, (_, index) => message(index + 1, "talk"));
    const { history, asked } = room(log);
    const talk = await readTalk({ history }, new Table(), 81);
    expect(talk).toMatchObject({ oldestSeq: 31, hasMore: true });
    expect(asked).toEqual([50]);
  });

  it("is not looked for without end", async () => {
    const table = new Table();
    table.begin([], DEALT.slice(-50));
    const [event] = DEALT;
    if (event === undefined) throw new Error("nothing dealt");
    const log = Array.from({ length: 5_000 }, (_, index) => ({ ...event, seq: index + 1 }));
    const { history, asked } = room(log);
    const talk = await readTalk({ history }, table, 5_001);
    expect(talk).toMatchObject({ events: [], hasMore: true, oldestSeq: 3_501 });
    expect(asked).toHaveLength(5);
  });
});
