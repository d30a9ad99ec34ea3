import { setTimeout as sleep } from "node:timers/promises";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { RoomService } from "../../gen/baccarat/v1/room_service_pb.ts";
import type { Random } from "./shoe.ts";
import { type EarlierRound, Table, type TableEvent, type TableEvents } from "./table.ts";

/** How long a table takes for what, in milliseconds. */
export interface Pace {
  /** Guesses are taken. */
  readonly bettingMs: number;
  /** From one card to the next. */
  readonly cardMs: number;
  /** A result stands. */
  readonly resultMs: number;
  /** A shoe is changed. */
  readonly shoeMs: number;
}

/** About 25 s a round, as in a hall. */
export const PACE: Pace = { bettingMs: 12_000, cardMs: 1_500, resultMs: 5_000, shoeMs: 5_000 };

/** What a dealer needs. */
export interface DealerOptions {
  /** How RoomService is reached, with a token of scope `publish` and `read` where there are tokens. */
  readonly transport: Transport;
  readonly room: string;
  readonly random: Random;
  /** Default PACE. */
  readonly pace?: Partial<Pace>;
  /** Ends the dealer, between any two events. */
  readonly signal: AbortSignal;
  /** Hears why an event had to be published again, or the room could not be given its title. */
  readonly onTrouble?: (error: Error) => void;
}

/** First and longest wait before an event is published again, in milliseconds. */
const RETRY_MS = { first: 250, longest: 5_000 };
/** Outcomes that leave open whether the event was stored: the same key makes a retry harmless. */
const RETRIED: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.ResourceExhausted,
  Code.Aborted,
  Code.Unknown,
]);
/**
 * Whoever joins is given the latest event of each key: the table as it was before this round, and the round as far as it
 * went. Together they are everything.
 */
const SNAPSHOT_KEYS: Readonly<Record<keyof TableEvents, string>> = {
  "table.shoe": "",
  "table.state": "table",
  "table.round_opened": "round",
  "table.round_closed": "round",
  "table.card": "round",
  "table.result": "round",
};

/** Types after which no round is open. */
const SETTLED: ReadonlySet<string> = new Set<keyof TableEvents>(["table.shoe", "table.result", "table.state"]);

/**
 * Runs a table until the signal aborts, and then resolves.
 * @throws ConnectError when the room is gone or the token may not publish.
 */
export async function runDealer(options: DealerOptions): Promise<void> {
  const dealer = new Dealer(options);
  try {
    await dealer.run();
  } catch (error) {
    if (!options.signal.aborted) throw error;
  }
}

class Dealer {
  readonly #rooms: Client<typeof RoomService>;
  readonly #options: DealerOptions;
  readonly #pace: Pace;
  /** Makes the keys of this run unlike those of any other. */
  readonly #run = crypto.randomUUID();
  #published = 0;

  constructor(options: DealerOptions) {
    this.#rooms = createClient(RoomService, options.transport);
    this.#options = options;
    this.#pace = { ...PACE, ...options.pace };
  }

  async run(): Promise<void> {
    const { signal, random } = this.#options;
    await this.#nameRoom();
    const table = new Table({ random, last: await this.#persist(() => this.#lastRound()) });
    while (!signal.aborted) {
      if (table.needsShoe) {
        await this.#publish(table.changeShoe());
        await this.#publish(table.state());
        await this.#wait(this.#pace.shoeMs);
      }
      await this.#playRound(table);
    }
  }

  async #playRound(table: Table): Promise<void> {
    const { bettingMs, cardMs, resultMs } = this.#pace;
    const closesAt = Date.now() + bettingMs;
    await this.#publish(table.openRound(closesAt, bettingMs));
    await this.#wait(closesAt - Date.now());
    await this.#publish(table.closeRound());
    for (let card = table.dealCard(); card !== undefined; card = table.dealCard()) {
      await this.#wait(cardMs);
      await this.#publish(card);
    }
    await this.#wait(cardMs);
    await this.#publish(table.settle());
    await this.#publish(table.state());
    await this.#wait(resultMs);
  }

  async #publish({ type, data }: TableEvent): Promise<void> {
    const { room, signal } = this.#options;
    this.#published += 1;
    const request = {
      roomId: room,
      type,
      data: fromJson(ValueSchema, data as unknown as JsonValue),
      idempotencyKey: `${this.#run}-${this.#published}`,
      snapshotKey: SNAPSHOT_KEYS[type],
    };
    await this.#persist(() => this.#rooms.publishEvent(request, { signal }));
  }

  /** Where an earlier run ended: the room's snapshot still has it, whatever was said since. */
  async #lastRound(): Promise<EarlierRound | undefined> {
    const { room, signal } = this.#options;
    const { events } = await this.#rooms.getSnapshot({ roomId: room }, { signal });
    for (const { body } of events.toReversed()) {
      if (body.case !== "customEvent" || !Object.hasOwn(SNAPSHOT_KEYS, body.value.type)) continue;
      const { type, dataJson } = body.value;
      const { shoe, round = 0 }: Partial<EarlierRound> = JSON.parse(dataJson);
      if (shoe !== undefined) return { shoe, round, settled: SETTLED.has(type) };
    }
    return undefined;
  }

  /** Where rooms must be created first this makes one; elsewhere it gives the room a title. A token that may do neither plays on. */
  async #nameRoom(): Promise<void> {
    const { room, signal, onTrouble } = this.#options;
    const settings = { roomId: room, title: `Baccarat, ${room}`, metadata: { game: "baccarat" } };
    try {
      await this.#persist(() => this.#rooms.createRoom({ room: settings }, { signal }));
    } catch (error) {
      const { code } = ConnectError.from(error);
      if (code !== Code.AlreadyExists && code !== Code.PermissionDenied) throw error;
      if (code === Code.PermissionDenied) onTrouble?.(error as Error);
    }
  }

  /** Calls until it is answered, however long the cluster is away. */
  async #persist<T>(call: () => Promise<T>): Promise<T> {
    for (let waitMs = RETRY_MS.first; ; waitMs = Math.min(waitMs * 2, RETRY_MS.longest)) {
      try {
        return await call();
      } catch (error) {
        if (this.#options.signal.aborted || !RETRIED.has(ConnectError.from(error).code)) throw error;
        this.#options.onTrouble?.(error as Error);
        await this.#wait(waitMs);
      }
    }
  }

  async #wait(ms: number): Promise<void> {
    await sleep(Math.max(0, ms), undefined, { signal: this.#options.signal });
  }
}
