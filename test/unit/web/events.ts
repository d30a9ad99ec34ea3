import type { RoomEvent } from "../../../client/src/types.ts";

/** Uid of the user whose page it is. */
export const SELF = "u-self";

/** A stored message, as the client hands it over. */
export function message(seq: number, text: string, more: { uid?: string; sent?: string; clientMsgId?: string } = {}) {
  const { uid = "u-ann", sent = "2026-03-01T12:00:00Z" } = more;
  const key = more.clientMsgId === undefined ? {} : { clientMsgId: more.clientMsgId };
  const message = { roomId: "r", messageId: `e-${seq}`, seq, uid, username: uid.slice(2), message: text, sent, ...key };
  return { kind: "message", seq, message } as const satisfies RoomEvent;
}

/** A deletion of an earlier message. */
export function deletion(seq: number, deletedSeq: number): RoomEvent {
  const sent = "2026-03-01T12:00:00Z";
  return { kind: "deleted", seq, deletion: { roomId: "r", seq, sent, deletedSeq, byUid: "u-ann" } };
}

/** A service's event. */
export function custom(seq: number, data: unknown): RoomEvent {
  return { kind: "custom", seq, event: { type: "table.result", roomId: "r", seq, sent: "2026-03-01T12:00:00Z", data } };
}
