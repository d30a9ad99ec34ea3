import type { MsgHdrsImpl, MsgImpl } from "@nats-io/nats-core/internal";
import type { Msg, MsgHdrs } from "@nats-io/transport-node";

const BEGINNING = "NATS/1.0\r\n";
const LINE_END = /[\r\n]/;
const ZERO = 0x30;
const SEQUENCE = "\r\nNats-Sequence: ";
const LAST_SEQUENCE = "\r\nNats-Last-Sequence: ";

/** Where a republished message stands in its stream (NATS ADR-28). */
export interface StreamPlace {
  /** 0 when the message was not republished. */
  readonly seq: number;
  /** Seq of the subject's previous message; 0 when the server does not know it. */
  readonly lastSeq: number;
}

/**
 * Reads two numbers off a message's header bytes: every live event passes here, and decoding all of its headers would cost
 * a tenth of everything an edge does for it.
 */
export function streamPlace(msg: Msg): StreamPlace {
  const { _rdata: bytes, _msg: frame } = msg as MsgImpl;
  if (frame.hdr <= 0) return { seq: 0, lastSeq: 0 };
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, frame.hdr).toString("latin1");
  return { seq: numberAfter(text, SEQUENCE), lastSeq: numberAfter(text, LAST_SEQUENCE) };
}

/**
 * Header fields as the client's publish() sends them (NATS ADR-4). Every write has some, and the client's own make a map
 * of lists of them first.
 * @throws RangeError for a value of several lines.
 */
export function headerBlock(fields: Readonly<Record<string, string>>): MsgHdrs {
  let text = BEGINNING;
  for (const [name, value] of Object.entries(fields)) {
    if (LINE_END.test(value)) throw new RangeError(`the header ${name} has one line`);
    text += `${name}: ${value}\r\n`;
  }
  const bytes = Buffer.from(`${text}\r\n`);
  // Nothing else is asked of them.
  const block: Pick<MsgHdrsImpl, "encode"> = { encode: () => bytes };
  return block as MsgHdrsImpl;
}

/** The number behind the first `from` characters of a message's subject; NaN when that is none. */
export function subjectNumber(msg: Msg, from: number): number {
  const { subject } = (msg as MsgImpl)._msg;
  let value = from < subject.length ? 0 : Number.NaN;
  for (let at = from; at < subject.length; at++) {
    const digit = (subject[at] ?? 0) - ZERO;
    value = digit >= 0 && digit <= 9 ? value * 10 + digit : Number.NaN;
  }
  return value;
}

function numberAfter(text: string, name: string): number {
  const at = text.indexOf(name);
  if (at < 0) return 0;
  const from = at + name.length;
  return Number(text.slice(from, text.indexOf("\r", from))) || 0;
}
