import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FanOut } from "../../../edge/fan-out.ts";
import { textFrame } from "../../../edge/frame-encoders.ts";
import type { HostedRoom } from "../../../edge/hosted-room.ts";
import type { Member } from "../../../edge/member.ts";
import { Outbox } from "../../../edge/outbox.ts";
import { SignalSchema } from "../../../gen/baccarat/v1/event_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { openRoom } from "./open-room.ts";
import { connectPair, type SocketPair } from "./socket-pair.ts";
import { stored } from "./stored.ts";

const GRANT = { moderator: false, mutedUntilMs: 0 };

/** A room at position 10, whose events are given by their seqs. */
async function liveRoom(
  fanOut?: FanOut,
  id?: string,
): Promise<{ room: HostedRoom; fanOut: FanOut; live: (...seqs: number[]) => void }> {
  const { hear, ...open } = await openRoom(fanOut, id);
  let last = 10;
  const live = (...seqs: number[]) => {
    for (const seq of seqs) {
      hear(stored(seq, last));
      last = seq;
    }
  };
  return { ...open, live };
}

async function outboxOf(
  fanOut: FanOut,
): Promise<{ outbox: Outbox; pair: SocketPair; seqs: () => (number | string)[] }> {
  const pair = await connectPair();
  const outbox = new Outbox({ ...pair, fanOut, maxBytes: 1_000_000, owner: { onOverflow: () => undefined } });
  const seqs = () =>
    pair.received.map((text) =>
      text.startsWith("{") ? (JSON.parse(text) as { payload: { seq: number } }).payload.seq : text,
    );
  return { outbox, pair, seqs };
}

/** What short frames in a buffer say. */
function textsOf(bytes: Buffer): string[] {
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const short = bytes.readUInt8(at + 1);
    const begin = at + (short < 126 ? 2 : 4);
    const length = short < 126 ? short : bytes.readUInt16BE(at + 2);
    const text = bytes.toString("utf8", begin, begin + length);
    texts.push(text.startsWith("{") ? `event ${JSON.parse(text).payload.seq}` : text);
    at = begin + length;
  }
  return texts;
}

describe("a hosted room", () => {
  it("gives every member the same events, as one buffer per turn", async () => {
    const { room, fanOut, live } = await liveRoom();
    const members = await Promise.all([1, 2, 3].map(() => outboxOf(fanOut)));
    const written: Buffer[] = [];
    for (const { outbox, pair } of members) {
      room.admit(outbox, "u", GRANT, 10);
      const write = pair.socket.write.bind(pair.socket);
      pair.socket.write = ((bytes: Buffer) => {
        written.push(bytes);
        return write(bytes);
      }) as typeof pair.socket.write;
    }
    live(11, 12, 13);
    for (const { seqs } of members) {
      await eventually("the events", () => seqs().length === 3);
      expect(seqs()).toEqual([11, 12, 13]);
    }
    expect(written).toHaveLength(3);
    expect(new Set(written).size).toBe(1);
  });

  it("gives a newcomer what comes after its answer, in front of which nothing gets", async () => {
    const { room, fanOut, live } = await liveRoom();
    const old = await outboxOf(fanOut);
    const late = await outboxOf(fanOut);
    room.admit(old.outbox, "u", GRANT, 10);
    live(11);
    room.push("ghost", 0);
    room.admit(late.outbox, "u", GRANT, 11);
    late.outbox.push(textFrame("joined"));
    live(12);
    await eventually("the events", () => late.seqs().length === 2 && old.seqs().length === 3);
    expect(late.seqs()).toEqual(["joined", 12]);
    expect(old.seqs()).toEqual([11, "ghost", 12]);
  });

  it("does not repeat what a newcomer's answer held although the room had not heard it yet", async () => {
    const { room, fanOut, live } = await liveRoom();
    const old = await outboxOf(fanOut);
    const ahead = await outboxOf(fanOut);
    room.admit(old.outbox, "u", GRANT, 10);
    room.admit(ahead.outbox, "u", GRANT, 13);
    live(11);
    room.push("presence", 0);
    await eventually("the first event", () => old.seqs().length === 2);
    live(13);
    await eventually("the second event", () => old.seqs().length === 3);
    live(15, 16);
    await eventually("the others", () => old.seqs().length === 5 && ahead.seqs().length === 3);
    expect(ahead.seqs()).toEqual(["presence", 15, 16]);
    expect(old.seqs()).toEqual([11, "presence", 13, 15, 16]);
  });

  it("gives nothing to who left, and goes on for the others", async () => {
    const { room, fanOut, live } = await liveRoom();
    const all = await Promise.all([0, 1, 2, 3].map(() => outboxOf(fanOut)));
    const members = all.map(({ outbox }) => room.admit(outbox, "u", GRANT, 10));
    const leave = (index: number) => room.remove(members[index] as Member);
    live(11);
    leave(1);
    leave(1);
    await eventually("the event", () => [0, 2, 3].every((index) => all[index]?.seqs().length === 1));
    leave(3);
    live(12);
    await eventually("the event", () => [0, 2].every((index) => all[index]?.seqs().length === 2));
    expect(all.map(({ seqs }) => seqs())).toEqual([[11, 12], [], [11, 12], [11]]);
    expect(room.size).toBe(2);
  });

  it("takes several turns for many members, and skips none of them although some leave meanwhile", async () => {
    const { room, fanOut, live } = await liveRoom();
    const { outbox: probe, seqs } = await outboxOf(fanOut);
    const heard = new Map<number, number>();
    const counting = (index: number) => {
      const outbox = Object.create(probe) as Outbox;
      outbox.write = () => void heard.set(index, (heard.get(index) ?? 0) + 1);
      return outbox;
    };
    const members = Array.from({ length: 2_500 }, (_, index) => room.admit(counting(index), "u", GRANT, 10));
    room.admit(probe, "u", GRANT, 10);
    live(11);
    room.flush(1_000);
    for (let index = 0; index < 500; index++) room.remove(members[index] as Member);
    live(12);
    const all = () => [...heard.values()].reduce((sum, times) => sum + times, 0);
    await eventually("the last member", () => seqs().length === 2 && all() === 500 + 2 * 2_000);
    expect(seqs()).toEqual([11, 12]);
    for (let index = 0; index < 2_500; index++) expect(heard.get(index)).toBe(index < 500 ? 1 : 2);
  });

  it("gives everybody exactly what was said while they were there, whoever comes, leaves or is not told", async () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.constant({ what: "join" as const, which: 0 }) },
      { weight: 2, arbitrary: fc.record({ what: fc.constant("leave" as const), which: fc.nat(9) }) },
      { weight: 4, arbitrary: fc.constant({ what: "event" as const, which: 0 }) },
      { weight: 1, arbitrary: fc.record({ what: fc.constant("typing" as const), which: fc.nat(9) }) },
      { weight: 3, arbitrary: fc.constant({ what: "flush" as const, which: 0 }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 50, maxLength: 100 }), async (steps) => {
        const { room, live } = await liveRoom();
        const present: { member: Member; from: number; heard: string[]; expected: string[] }[] = [];
        let pending: { text: string; except: string }[] = [];
        let [seq, users] = [10, 0];
        const flush = () => {
          room.flush(Number.POSITIVE_INFINITY);
          for (const { member, from, expected } of present) {
            expected.push(...pending.slice(from).flatMap(({ text, except }) => (except === member.uid ? [] : text)));
          }
          for (const one of present) one.from = 0;
          pending = [];
          for (const { heard, expected } of present) expect(heard).toEqual(expected);
        };
        for (const { what, which } of steps) {
          if (what === "join") {
            const heard: string[] = [];
            const write = (bytes: Buffer) => heard.push(...textsOf(bytes));
            const member = room.admit({ write, rooms: 0 } as unknown as Outbox, `u${users++}`, GRANT, seq);
            present.push({ member, from: pending.length, heard, expected: [] });
          } else if (what === "leave") {
            for (const { member } of present.splice(which, 1)) room.remove(member);
            if (present.length === 0) pending = [];
          } else if (what === "flush") flush();
          else if (what === "event") live(++seq);
          else room.push(`typing ${which}`, 0, present[which]?.member.uid ?? "nobody");
          if (present.length === 0) continue;
          if (what === "event") pending.push({ text: `event ${seq}`, except: "" });
          if (what === "typing") pending.push({ text: `typing ${which}`, except: present[which]?.member.uid ?? "" });
        }
        flush();
      }),
    );
  });

  it("waits for events that are under way, by half of what writing costs, and no longer than until they came", async () => {
    const { room, fanOut } = await liveRoom();
    const { outbox } = await outboxOf(fanOut);
    const released: unknown[] = [];
    fanOut.release = (one) => released.push(one);
    for (let index = 0; index < 1_000; index++) room.admit(outbox, "u", GRANT, 10);
    expect(room.holdMs).toBe(0);
    room.publishing();
    room.publishing();
    expect(room.holdMs).toBeCloseTo(3.5);
    for (let index = 0; index < 1_000; index++) room.admit(outbox, "u", GRANT, 10);
    expect(room.holdMs).toBe(5);
    room.published();
    expect({ held: room.holdMs, released }).toEqual({ held: 5, released: [] });
    room.published();
    expect({ held: room.holdMs, released }).toEqual({ held: 0, released: [room] });
  });

  it("writes once to a connection in several rooms", async () => {
    const fanOut = new FanOut();
    const rooms = await Promise.all(["a", "b", "c"].map((id) => liveRoom(fanOut, id)));
    const { outbox, pair, seqs } = await outboxOf(fanOut);
    for (const { room } of rooms) room.admit(outbox, "u", GRANT, 10);
    let writes = 0;
    const write = pair.socket.write.bind(pair.socket);
    pair.socket.write = ((bytes: Uint8Array) => {
      writes++;
      return write(bytes);
    }) as typeof pair.socket.write;
    for (const [index, { live }] of rooms.entries()) live(11 + index);
    await eventually("the events", () => seqs().length === 3);
    expect({ seqs: seqs(), writes }).toEqual({ seqs: [11, 12, 13], writes: 1 });
  });

  it("tells everybody but the user that the user is typing", async () => {
    const { room, fanOut, live } = await liveRoom();
    const [ann, bob] = [await outboxOf(fanOut), await outboxOf(fanOut)];
    room.admit(ann.outbox, "ann", GRANT, 10);
    room.admit(bob.outbox, "bob", GRANT, 10);
    live(11);
    const body = { case: "typing", value: { uid: "ann", username: "Ann" } } as const;
    room.onSignal(create(SignalSchema, { roomId: "r", body }));
    live(12);
    await eventually("the events", () => ann.pair.received.length === 2 && bob.pair.received.length === 3);
    expect(ann.seqs()).toEqual([11, 12]);
    expect(JSON.parse(bob.pair.received[1] ?? "")).toMatchObject({ type: "typing", payload: { uid: "ann" } });
  });

  it("says when continuity was lost", async () => {
    const { room, fanOut } = await liveRoom();
    const { outbox, pair } = await outboxOf(fanOut);
    room.admit(outbox, "u", GRANT, 10);
    room.onReset(20, "too_old");
    await eventually("the reset", () => pair.received.length === 1);
    expect(JSON.parse(pair.received[0] ?? "")).toEqual({
      type: "reset",
      payload: { room_id: "r", epoch: "e", seq: 20, reason: "too_old" },
    });
  });
});
