import { RoomError } from "../services/errors.ts";
import { packChanges, packWrites, unpackAnswers, unpackOutcomes } from "./embedded-packing.ts";
import type {
  Answer,
  ControlAnswer,
  ControlWrite,
  EventAnswer,
  EventWrite,
  Read,
  ReadAnswer,
  ReadKind,
  Request,
} from "./embedded-protocol.ts";

/**
 * Hears how one thing that was asked ended. `done` may follow `fail` for a write, when the storage answered after it was
 * given up: it happened after all, and whoever listens must hear of it. Neither may throw.
 */
export interface Settle<T> {
  done(answer: T): void;
  fail(error: RoomError): void;
}

interface Asked<Ask, T> {
  readonly ask: Ask;
  readonly settle: Settle<T>;
}

/** Everything asked within one turn, and who waits for the answers. */
export class Batch {
  /** When it was begun, by performance.now(). */
  readonly begun = performance.now();
  /** The series it was sent in, 0 before that. */
  series = 0;
  /** How many things were asked. */
  size = 0;
  /** Bytes of the events and values in it. */
  bytes = 0;
  #events: Asked<EventWrite, EventAnswer>[] = [];
  #eventBytes = 0;
  #control: Asked<ControlWrite, ControlAnswer>[] = [];
  #controlBytes = 0;
  #reads: Asked<Read, ReadAnswer>[] = [];
  #isGivenUp = false;

  addEvent(ask: EventWrite, settle: Settle<EventAnswer>): void {
    this.#events.push({ ask, settle });
    this.#eventBytes += ask.body.length;
    this.#added(ask.body.length);
  }

  addControl(ask: ControlWrite, settle: Settle<ControlAnswer>): void {
    const bytes = ask.op === "delete" ? 0 : ask.value.length;
    this.#control.push({ ask, settle });
    this.#controlBytes += bytes;
    this.#added(bytes);
  }

  addRead<K extends ReadKind>(ask: Read<K>, settle: Settle<ReadAnswer<K>>): void {
    // The answer to a read of kind K is of kind K: Storage.read says so.
    this.#reads.push({ ask, settle } as unknown as Asked<Read, ReadAnswer>);
    this.#added(0);
  }

  /** What to send. */
  toRequest(series: number): Request {
    this.series = series;
    const asks = <Ask>(asked: readonly Asked<Ask, never>[]): Ask[] => asked.map(({ ask }) => ask);
    return {
      kind: "request",
      series,
      events: packWrites(asks(this.#events), this.#eventBytes),
      control: packChanges(asks(this.#control), this.#controlBytes),
      reads: this.#reads.length > 0 ? asks(this.#reads) : undefined,
    };
  }

  /** Hands out the answers. */
  settle({ written, reads }: Answer): void {
    if (written.ok) {
      settleAll(this.#events, unpackAnswers(written.value.events));
      settleAll(this.#control, unpackOutcomes(written.value.control));
    } else {
      this.failWrites(new RoomError("unavailable", `not stored: ${written.reason}`));
    }
    for (const [index, { settle }] of this.#reads.entries()) {
      const outcome = reads?.[index];
      if (outcome?.ok) settle.done(outcome.value);
      else settle.fail(new RoomError("unavailable", `not read: ${outcome?.reason ?? "no answer"}`));
    }
  }

  /** Gives everything up. A later answer still settles the writes, since they may have happened. */
  fail(error: RoomError): void {
    if (this.#isGivenUp) return;
    this.#isGivenUp = true;
    for (const { settle } of [...this.#events, ...this.#control, ...this.#reads]) settle.fail(error);
    this.#reads = [];
  }

  /** Gives the writes up for good. Only for a batch that was not sent, or whose transaction is known to have failed. */
  failWrites(error: RoomError): void {
    for (const { settle } of [...this.#events, ...this.#control]) settle.fail(error);
    this.#events = [];
    this.#control = [];
  }

  #added(bytes: number): void {
    this.size++;
    this.bytes += bytes;
  }
}

function settleAll<T>(asked: readonly Asked<unknown, T>[], answers: readonly T[]): void {
  for (const [index, answer] of answers.entries()) asked[index]?.settle.done(answer);
}
