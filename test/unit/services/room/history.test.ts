import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import type { Broker } from "../../../../broker/broker.ts";
import { EventSchema } from "../../../../gen/baccarat/v1/event_pb.ts";
import type { ControlPlane } from "../../../../services/room/control-plane.ts";
import { encodePageToken } from "../../../../services/room/paging.ts";
import { FlakyBroker } from "./flaky-broker.ts";
import { openReplica, openTestBroker, room, store } from "./replica.ts";

const LOBBY = room("lobby");

function recover(plane: ControlPlane, epoch: string, seq: number, latest = 0) {
  return plane.history.recover(LOBBY, { $typeName: "baccarat.v1.Position", epoch, seq: BigInt(seq) }, latest);
}

/** Publishes something that is no message. */
async function storeOther(broker: Broker, deletedSeq?: number): Promise<number> {
  const body =
    deletedSeq === undefined
      ? ({ case: "customEvent", value: { type: "table.result", dataJson: "{}", byUid: "service:dealer" } } as const)
      : ({ case: "deletion", value: { deletedSeq: BigInt(deletedSeq), byUid: "ann" } } as const);
  return (await broker.publish(LOBBY, create(EventSchema, { roomId: LOBBY, body }))).seq;
}

const texts = (count: number) => Array.from({ length: count }, (_, index) => `message ${index + 1}`);

describe("recovery", () => {
  it("gives exactly what was missed, in order", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const seqs = await store(broker, "lobby", texts(5));
    await store(broker, "other", texts(3));
    const result = await recover(plane, broker.epoch, seqs[1] ?? 0);
    expect(result).toMatchObject({ recovered: true, reason: "" });
    expect(result.events.map(({ seq }) => Number(seq))).toEqual(seqs.slice(2));
    expect(result.events.map(({ prevSeq }) => Number(prevSeq))).toEqual(seqs.slice(1, 4));
    expect(result.seq).toBeGreaterThanOrEqual(seqs[4] ?? 0);
  });

  it.each([
    ["from the beginning", 0, 4],
    ["with nothing missed", 4, 0],
  ])("works %s", async (_, index, missed) => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const seqs = await store(broker, "lobby", texts(4));
    const result = await recover(plane, broker.epoch, index === 0 ? 0 : (seqs[index - 1] ?? 0));
    expect(result).toMatchObject({ recovered: true, reason: "" });
    expect(result.events).toHaveLength(missed);
  });

  it("works from a position after the room's last event that the log has reached", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    await store(broker, "lobby", texts(1));
    const [end = 0] = await store(broker, "other", texts(1));
    expect(await recover(plane, broker.epoch, end)).toMatchObject({ recovered: true, events: [] });
    expect(await recover(plane, broker.epoch, end + 1)).toMatchObject({ recovered: false, reason: "unknown_position" });
  });

  it("works from a deleted event, and over deletions", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const [first = 0, second = 0, third = 0] = await store(broker, "lobby", texts(3));
    const deletion = await storeOther(broker, second);
    const result = await recover(plane, broker.epoch, second);
    expect(result.recovered).toBe(true);
    expect(result.events.map(({ seq }) => Number(seq))).toEqual([third, deletion]);
    expect((await recover(plane, broker.epoch, first)).events.map(({ seq }) => Number(seq))).toEqual([third, deletion]);
  });

  it("is refused whole: another epoch, a position of nowhere", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const seqs = await store(broker, "lobby", texts(3));
    const refused = { recovered: false, events: [] };
    expect(await recover(plane, "another", seqs[0] ?? 0)).toMatchObject({ ...refused, reason: "epoch_changed" });
    expect(await recover(plane, broker.epoch, 1_000_000)).toMatchObject({ ...refused, reason: "unknown_position" });
    expect(await recover(plane, broker.epoch, Number.MAX_SAFE_INTEGER)).toMatchObject({
      ...refused,
      reason: "unknown_position",
    });
  });

  it("is refused below what retention dropped, and not at it", async () => {
    const broker = await openTestBroker({ maxMessages: 10 });
    const plane = await openReplica(broker);
    const seqs = await store(broker, "lobby", texts(15));
    expect(await recover(plane, broker.epoch, seqs[3] ?? 0)).toMatchObject({ recovered: false, reason: "too_old" });
    const precise = await recover(plane, broker.epoch, seqs[4] ?? 0);
    expect(precise.recovered).toBe(true);
    expect(precise.events.map(({ seq }) => Number(seq))).toEqual(seqs.slice(5));
  });

  it("is refused above 300 events, and not at 300", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const seqs = await store(broker, "lobby", texts(302));
    expect(await recover(plane, broker.epoch, seqs[0] ?? 0)).toMatchObject({
      recovered: false,
      reason: "too_many",
      events: [],
    });
    const whole = await recover(plane, broker.epoch, seqs[1] ?? 0);
    expect(whole.recovered).toBe(true);
    expect(whole.events).toHaveLength(300);
  });

  it("is refused above 256 KiB", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const [first = 0, ...others] = await store(broker, "lobby", Array<string>(30).fill("\u{1f0a1}".repeat(4_000)));
    expect(await recover(plane, broker.epoch, first)).toMatchObject({
      recovered: false,
      reason: "too_many",
      events: [],
    });
    expect((await recover(plane, broker.epoch, others[20] ?? 0)).recovered).toBe(true);
  });

  it("gives the latest events instead when they were asked for", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const seqs = await store(broker, "lobby", texts(5));
    const latest = { recovered: false, events: seqs.slice(3).map((seq) => ({ seq: BigInt(seq) })) };
    expect(await plane.history.recover(LOBBY, undefined, 2)).toMatchObject({ ...latest, reason: "" });
    expect(await recover(plane, "another", 1, 2)).toMatchObject({ ...latest, reason: "epoch_changed" });
    expect(await plane.history.recover(LOBBY, undefined, 0)).toMatchObject({
      events: [],
      recovered: false,
      reason: "",
    });
    for (const count of [-1, 301]) {
      await expect(plane.history.recover(LOBBY, undefined, count)).rejects.toMatchObject({
        reason: "invalid_argument",
      });
    }
  });

  it("shares reads that come at once, but never one that began before it was asked", async () => {
    const broker = await openTestBroker();
    const flaky = new FlakyBroker(broker);
    const plane = await openReplica(flaky.broker);
    const first = plane.history.recover(LOBBY, undefined, 10);
    const [seq] = await store(broker, "lobby", texts(1));
    const later = await Promise.all(Array.from({ length: 50 }, () => plane.history.recover(LOBBY, undefined, 10)));
    await first;
    for (const { events } of later) expect(events.map((event) => Number(event.seq))).toEqual([seq]);
    expect(flaky.reads).toBeLessThanOrEqual(3);
  });
});

describe("pages", () => {
  const page = { room: LOBBY, pageSize: 2, pageToken: "", beforeSeq: 0n, afterSeq: 0n };

  it("go backward from the end or from before a position, oldest first in each", async () => {
    const broker = await openTestBroker();
    const { history } = await openReplica(broker);
    const seqs = await store(broker, "lobby", texts(5));
    const first = await history.listMessages(page);
    expect(first.items.map(({ message }) => message)).toEqual(["message 4", "message 5"]);
    expect(first.epoch).toBe(broker.epoch);
    await store(broker, "lobby", ["newer"]);
    const second = await history.listMessages({ ...page, pageToken: first.nextPageToken });
    expect(second.items.map(({ message }) => message)).toEqual(["message 2", "message 3"]);
    const third = await history.listMessages({ ...page, pageToken: second.nextPageToken });
    expect(third.items.map(({ message }) => message)).toEqual(["message 1"]);
    expect(third.nextPageToken).toBe("");
    const before = await history.listMessages({ ...page, beforeSeq: BigInt(seqs[2] ?? 0) });
    expect(before.items.map(({ message }) => message)).toEqual(["message 1", "message 2"]);
    expect(before.nextPageToken).toBe("");
  });

  it("go forward after a position", async () => {
    const broker = await openTestBroker();
    const { history } = await openReplica(broker);
    const seqs = await store(broker, "lobby", texts(5));
    const after = { ...page, afterSeq: BigInt(seqs[0] ?? 0) };
    const first = await history.listMessages(after);
    expect(first.items.map(({ message }) => message)).toEqual(["message 2", "message 3"]);
    const second = await history.listMessages({ ...after, pageToken: first.nextPageToken });
    expect(second.items.map(({ message }) => message)).toEqual(["message 4", "message 5"]);
    expect(second.nextPageToken).toBe("");
  });

  it("of messages are filled past what is none; of events hold everything", async () => {
    const broker = await openTestBroker();
    const { history } = await openReplica(broker);
    const [first = 0] = await store(broker, "lobby", ["one", "two"]);
    for (let count = 0; count < 6; count++) await storeOther(broker);
    const [third = 0] = await store(broker, "lobby", ["three"]);
    await storeOther(broker, first);
    const messages = await history.listMessages(page);
    expect(messages.items).toMatchObject([
      { message: "two" },
      { message: "three", roomId: "lobby", seq: BigInt(third), messageId: `${broker.epoch}-${third}` },
    ]);
    const events = await history.listEvents({ ...page, pageSize: 300 });
    expect(events.items.map(({ body }) => body.case)).toEqual([
      "message",
      ...Array<string>(6).fill("customEvent"),
      "message",
      "deletion",
    ]);
    expect(events.items[0]?.body.value).toMatchObject({ messageId: `${broker.epoch}-${first + 1}` });
  });

  it("end at 256 KiB", async () => {
    const broker = await openTestBroker();
    const { history } = await openReplica(broker);
    await store(broker, "lobby", Array<string>(40).fill("\u{1f0a1}".repeat(4_000)));
    let pageToken = "";
    let count = 0;
    do {
      const found = await history.listMessages({ ...page, pageSize: 300, pageToken });
      expect(found.items.length).toBeLessThanOrEqual(16);
      expect(found.items.length).toBeGreaterThan(0);
      count += found.items.length;
      pageToken = found.nextPageToken;
    } while (pageToken !== "");
    expect(count).toBe(40);
  });

  it("refuse both directions at once, tokens of another request, and rooms that are gone", async () => {
    const broker = await openTestBroker();
    const { history, rooms } = await openReplica(broker);
    await store(broker, "lobby", texts(5));
    await store(broker, "other", texts(5));
    const { nextPageToken } = await history.listMessages(page);
    const invalid = { reason: "invalid_argument" };
    await expect(history.listMessages({ ...page, beforeSeq: 5n, afterSeq: 1n })).rejects.toMatchObject(invalid);
    for (const other of [{ room: room("other") }, { beforeSeq: 9n }, { afterSeq: 1n }]) {
      await expect(history.listMessages({ ...page, ...other, pageToken: nextPageToken })).rejects.toMatchObject(
        invalid,
      );
    }
    await expect(history.listEvents({ ...page, pageToken: nextPageToken })).rejects.toMatchObject(invalid);
    await rooms.delete(LOBBY);
    await expect(history.listMessages(page)).rejects.toMatchObject({ reason: "room_not_found" });
  });

  it.each(["", "x", "NaN", "-1", "1.5", "1e3", " 1", "0x1", "Infinity", "9007199254740992"])(
    "refuse a token made up with the position %j",
    async (position) => {
      const broker = await openTestBroker();
      const { history } = await openReplica(broker);
      await store(broker, "lobby", texts(3));
      for (const [kind, list] of [
        ["messages", history.listMessages.bind(history)],
        ["events", history.listEvents.bind(history)],
      ] as const) {
        const pageToken = encodePageToken([kind, "lobby", "0", "0"], position);
        await expect(list({ ...page, pageToken })).rejects.toMatchObject({
          reason: "invalid_argument",
          metadata: { field: "page_token" },
        });
      }
    },
  );
});
