import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Event, EventSchema } from "../gen/baccarat/v1/event_pb.ts";
import type { Message } from "../gen/baccarat/v1/message_pb.ts";
import { messageEvent, timestamp } from "../services/message-event.ts";

/** Where messages are put together; what may not fit takes the general way. */
const SCRATCH = Buffer.allocUnsafeSlow(64 * 1024);
/** Bytes of UTF-8 per UTF-16 code unit, at most. */
const MAX_UTF8 = 3;
/** Room for every tag, length and number. */
const OVERHEAD = 128;
/** Bytes of the length of whatever fits: 7 bits each. */
const LENGTH_BYTES = 3;
/** The most a time's fraction can be. */
const MAX_NANOS = 999_999_999;
/** Field number and wire type of each field that is stored (protobuf.dev/programming-guides/encoding). */
const TAGS = { roomId: 0x0a, sent: 0x22, seconds: 0x08, nanos: 0x10, message: 0x32 } as const;
const MESSAGE_TAGS = {
  uid: 0x2a,
  username: 0x32,
  avatarId: 0x3a,
  from: 0x42,
  message: 0x4a,
  imageUrl: 0x52,
  toUid: 0x5a,
  clientMsgId: 0x6a,
} as const satisfies { readonly [F in keyof Message]?: number };

/**
 * An event's bytes as toBinary writes them. Messages, which are most of what is ever published, are written by hand: that
 * takes a tenth of the time, and a test holds the two equal.
 */
export function eventBytes(event: Event): Uint8Array {
  const length = messageLength(event);
  return length === undefined ? toBinary(EventSchema, event) : Buffer.from(SCRATCH.subarray(0, length));
}

/** Writes a message's event into SCRATCH and returns its length; undefined for whatever is not just that. */
function messageLength(event: Event): number | undefined {
  const { roomId, seq, prevSeq, sent, trace, body } = event;
  if (body.case !== "message" || sent === undefined || trace !== undefined || event.$unknown) return undefined;
  const message = body.value;
  if (seq + prevSeq + message.seq + message.prevSeq !== 0n || message.sent || message.$unknown) return undefined;
  if (message.roomId !== "" || message.messageId !== "" || sent.seconds < 0n) return undefined;
  if ((roomId.length + textUnits(message)) * MAX_UTF8 + OVERHEAD > SCRATCH.length) return undefined;
  const sentFields = (from: number): number =>
    number(TAGS.nanos, sent.nanos, number(TAGS.seconds, Number(sent.seconds), from));
  const at = nested(TAGS.sent, text(TAGS.roomId, roomId, 0), sentFields);
  return nested(TAGS.message, at, (from) => messageFields(message, from));
}

function textUnits({ uid, username, avatarId, from, message, imageUrl, toUid, clientMsgId }: Message): number {
  const names = uid.length + username.length + avatarId.length + from.length + toUid.length;
  return names + message.length + imageUrl.length + clientMsgId.length;
}

function messageFields(message: Message, from: number): number {
  let at = text(MESSAGE_TAGS.uid, message.uid, from);
  at = text(MESSAGE_TAGS.username, message.username, at);
  at = text(MESSAGE_TAGS.avatarId, message.avatarId, at);
  at = text(MESSAGE_TAGS.from, message.from, at);
  at = text(MESSAGE_TAGS.message, message.message, at);
  at = text(MESSAGE_TAGS.imageUrl, message.imageUrl, at);
  at = text(MESSAGE_TAGS.toUid, message.toUid, at);
  return text(MESSAGE_TAGS.clientMsgId, message.clientMsgId, at);
}

/** What `write` writes from a place on, behind its tag and length; each of these returns the place behind what it wrote. */
function nested(tag: number, at: number, write: (from: number) => number): number {
  SCRATCH[at] = tag;
  const from = at + 1 + LENGTH_BYTES;
  const to = write(from);
  const start = varint(to - from, at + 1);
  SCRATCH.copyWithin(start, from, to);
  return start + to - from;
}

function text(tag: number, value: string, at: number): number {
  if (value === "") return at;
  SCRATCH[at] = tag;
  const from = varint(Buffer.byteLength(value), at + 1);
  return from + SCRATCH.write(value, from);
}

function number(tag: number, value: number, at: number): number {
  if (value === 0) return at;
  SCRATCH[at] = tag;
  return varint(value, at + 1);
}

/** A number below 2^53 in groups of 7 bits, the lowest first. */
function varint(value: number, start: number): number {
  let at = start;
  let left = value;
  while (left > 0x7f) {
    SCRATCH[at++] = (left % 128) | 0x80;
    left = Math.floor(left / 128);
  }
  SCRATCH[at] = left;
  return at + 1;
}

/**
 * An event from its bytes, as fromBinary reads it. Messages are read by hand, for the reason they are written so; a test holds
 * the two equal.
 * @throws Error for bytes that are no event.
 */
export function readEvent(bytes: Uint8Array): Event {
  return readMessageEvent(bytes) ?? fromBinary(EventSchema, bytes);
}

/** Reads a message's event; undefined for whatever is not just that, as eventBytes writes it. */
function readMessageEvent(bytes: Uint8Array): Event | undefined {
  const reader = new FieldReader(bytes);
  const roomId = reader.text(TAGS.roomId);
  if (!reader.enter(TAGS.sent)) return undefined;
  const seconds = reader.number(TAGS.seconds);
  const nanos = reader.number(TAGS.nanos);
  reader.leave();
  if (nanos > MAX_NANOS || !reader.enter(TAGS.message)) return undefined;
  const event = messageEvent(roomId, timestamp(seconds, nanos), {
    uid: reader.text(MESSAGE_TAGS.uid),
    username: reader.text(MESSAGE_TAGS.username),
    avatarId: reader.text(MESSAGE_TAGS.avatarId),
    from: reader.text(MESSAGE_TAGS.from),
    message: reader.text(MESSAGE_TAGS.message),
    imageUrl: reader.text(MESSAGE_TAGS.imageUrl),
    toUid: reader.text(MESSAGE_TAGS.toUid),
    clientMsgId: reader.text(MESSAGE_TAGS.clientMsgId),
  });
  reader.leave();
  return reader.understood ? event : undefined;
}

/**
 * Reads fields in the order asked for. One that is not next has its default; whatever else is there makes `understood` false,
 * and then nothing that was read means anything.
 */
class FieldReader {
  readonly #bytes: Buffer;
  #at = 0;
  /** Where the message ends whose fields are read now. */
  #end: number;
  #understood = true;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = bytes.length;
  }

  /** True when everything was read, and is what the Protobuf library would have read. */
  get understood(): boolean {
    return this.#understood && this.#at === this.#bytes.length;
  }

  text(tag: number): string {
    if (!this.#skip(tag)) return "";
    const from = this.#behindLength();
    const text = this.#bytes.toString("utf8", from, this.#at);
    // Perhaps bytes that are no UTF-8, which the library refuses.
    if (text.includes("\uFFFD")) this.#understood = false;
    return text;
  }

  number(tag: number): number {
    return this.#skip(tag) ? this.#varint() : 0;
  }

  /** Goes into the message of a field; false when that is not next. */
  enter(tag: number): boolean {
    if (!this.#skip(tag)) return false;
    const from = this.#behindLength();
    this.#end = this.#at;
    this.#at = from;
    return true;
  }

  /** Goes out of it again. */
  leave(): void {
    if (this.#at !== this.#end) this.#understood = false;
    this.#end = this.#bytes.length;
  }

  #skip(tag: number): boolean {
    const isNext = this.#at < this.#end && this.#bytes[this.#at] === tag;
    if (isNext) this.#at++;
    return isNext;
  }

  /** Reads a length and moves behind what has it; returns where that begins. */
  #behindLength(): number {
    const length = this.#varint();
    const from = this.#at;
    if (from + length > this.#end) this.#understood = false;
    else this.#at = from + length;
    return from;
  }

  /** A number below 2^49, in groups of 7 bits, the lowest first. Larger ones may be negative, and are the library's to read. */
  #varint(): number {
    let value = 0;
    for (let scale = 1; this.#at < this.#end && scale < 2 ** 49; scale *= 128) {
      const byte = this.#bytes[this.#at++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte <= 0x7f) return value;
    }
    this.#understood = false;
    return 0;
  }
}
