let seq = 1_000_000;

/** A frame like the product's, so that servers are compared by the same bytes. */
export function newMessage(room: string, message: string, id: string): string {
  seq++;
  const payload = {
    room_id: room,
    message_id: `0123456789abcdef0123456789abcdef-${seq}`,
    seq,
    prev_seq: seq - 1,
    uid: "guest-0123456789abc",
    username: "guest-1234",
    message,
    sent: new Date().toISOString(),
    client_msg_id: id,
  };
  return JSON.stringify({ type: "new_message", payload });
}

/** The answer to whoever said it. */
export function ack(room: string, id: string): string {
  const payload = {
    room_id: room,
    message_id: `0123456789abcdef0123456789abcdef-${seq}`,
    seq,
    sent: new Date().toISOString(),
    duplicate: false,
  };
  return JSON.stringify({ type: "ack", id, payload });
}

/** What a client says. */
export interface Said {
  readonly id: string;
  readonly payload: { readonly message: string };
}

/** The room a client names in its URL. */
export function roomOf(url: string | undefined): string {
  return new URL(url ?? "/", "http://localhost").searchParams.get("room_id") ?? "";
}
