import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Broker, Published, StoredEvent } from "../../broker/broker.ts";
import { type Event, EventSchema, type Signal, SignalSchema } from "../../gen/baccarat/v1/event_pb.ts";
import { parseRoomId, type RoomId } from "../../services/ids.ts";

/** A room's id. @throws Error when the text is none. */
export function room(text: string): RoomId {
  const id = parseRoomId(text);
  if (id === undefined) throw new Error(`${text} is no room id`);
  return id;
}

/** Somebody says something. */
export function message(roomId: RoomId, text: string): Event {
  return create(EventSchema, {
    roomId,
    sent: timestampFromMs(Date.now()),
    body: { case: "message", value: { uid: "percy", username: "Percy", message: text } },
  });
}

/** A service's event of about so many bytes. */
export function customEvent(roomId: RoomId, bytes: number): Event {
  const value = { type: "table.result", dataJson: JSON.stringify("x".repeat(bytes)), byUid: "service:dealer" };
  return create(EventSchema, { roomId, sent: timestampFromMs(Date.now()), body: { case: "customEvent", value } });
}

/** Somebody deletes an event. */
export function deletion(roomId: RoomId, seq: number): Event {
  return create(EventSchema, {
    roomId,
    sent: timestampFromMs(Date.now()),
    body: { case: "deletion", value: { deletedSeq: BigInt(seq), byUid: "percy" } },
  });
}

/** Somebody is typing. */
export function typing(roomId: RoomId, uid: string): Signal {
  return create(SignalSchema, { roomId, body: { case: "typing", value: { uid, username: uid } } });
}

/** Publishes a message. */
export function say(broker: Broker, roomId: RoomId, text: string): Promise<Published> {
  return broker.publish(roomId, message(roomId, text));
}

/** Publishes messages one after the other: `<prefix>1` to `<prefix><count>`. Resolves with their seqs. */
export async function sayMany(broker: Broker, roomId: RoomId, count: number, prefix = "m"): Promise<number[]> {
  const lane = {};
  const texts = Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`);
  const published = texts.map((text) => broker.publish(roomId, message(roomId, text), { lane }));
  return (await Promise.all(published)).map(({ seq }) => seq);
}

/** What an event says: a message's text, `deletes <seq>`, or a custom event's type. */
export function textOf({ event }: StoredEvent): string {
  switch (event.body.case) {
    case "message":
      return event.body.value.message;
    case "deletion":
      return `deletes ${event.body.value.deletedSeq}`;
    default:
      return event.body.value?.type ?? "";
  }
}

export const seqsOf = (events: readonly StoredEvent[]): number[] => events.map(({ seq }) => seq);
export const textsOf = (events: readonly StoredEvent[]): string[] => events.map(textOf);

/** Asserts what holds for every list of a room's events: strictly increasing, each naming a predecessor that fits. */
export function chainFaults(events: readonly StoredEvent[]): string[] {
  return events.flatMap((stored, index) => {
    const last = events[index - 1]?.seq ?? 0;
    if (stored.seq <= last) return [`${stored.seq} comes after ${last}`];
    if (stored.prevSeq > last && index > 0) return [`${stored.seq} follows ${stored.prevSeq}, but ${last} was heard`];
    return stored.prevSeq >= stored.seq ? [`${stored.seq} follows ${stored.prevSeq}`] : [];
  });
}
