import { setTimeout as pause } from "node:timers/promises";
import { startMeter } from "./measure.ts";
import type { RawClient } from "./raw-client.ts";
import type { Server } from "./servers.ts";

/** What it cost to have messages acknowledged. */
export interface Acks {
  readonly perSecond: number;
  /** CPU of the server per acknowledged message, in microseconds. */
  readonly micros: number;
  readonly loadCpu: number;
}

/** Which of a client's rooms the next message goes to. */
export type RoomOrder = "in turn" | "at random";

const WARM_UP_SHARE = 0.15;

/** Has each client keep some messages on their way, each in one of its rooms. */
export async function talk(
  server: Server,
  clients: readonly { readonly client: RawClient; readonly rooms: readonly string[] }[],
  options: { readonly inFlight: number; readonly seconds: number; readonly order?: RoomOrder },
): Promise<Acks> {
  const { inFlight, seconds, order = "in turn" } = options;
  let acks = 0;
  const talkers = clients.map(
    ({ client, rooms }) => new Talker({ server, client, next: inOrder(order, rooms), inFlight, onAck: () => acks++ }),
  );
  await pause(seconds * WARM_UP_SHARE * 1_000);
  const before = acks;
  const stop = startMeter(server);
  await pause(seconds * 1_000);
  const cost = stop();
  const measured = acks - before;
  await Promise.all(talkers.map((talker) => talker.end()));
  return {
    perSecond: measured / cost.seconds,
    micros: ((cost.user + cost.system) / measured) * 1e6,
    loadCpu: cost.loadCpu,
  };
}

function inOrder(order: RoomOrder, rooms: readonly string[]): () => string {
  let said = 0;
  const index = order === "in turn" ? () => said++ % rooms.length : () => Math.floor(Math.random() * rooms.length);
  return () => rooms[index()] ?? "";
}

let lastId = 0;
const TEXT = "x".repeat(200);
const isAck = (frame: Buffer): boolean => frame.toString("latin1", 0, 13) === '{"type":"ack"';

/** Says the next thing when one is acknowledged. What becomes due within one read of the socket is sent in one write. */
class Talker {
  readonly #say: (count: number) => void;
  readonly #ended = Promise.withResolvers<void>();
  #outstanding = 0;
  #due = 0;
  #running = true;

  constructor(options: {
    readonly server: Server;
    readonly client: RawClient;
    readonly next: () => string;
    readonly inFlight: number;
    readonly onAck: () => void;
  }) {
    const { server, client, next, inFlight, onAck } = options;
    const say = (): string => server.say(next(), TEXT, ++lastId);
    this.#say = (count) => {
      this.#outstanding += count;
      client.send(...Array.from({ length: count }, say));
    };
    client.onFrame = (frame) => {
      if (!isAck(frame)) return;
      onAck();
      this.#outstanding--;
      if (++this.#due === 1) queueMicrotask(() => this.#next());
    };
    client.onClose = (code) => this.#ended.reject(new Error(`the server ended a connection with ${code}`));
    this.#ended.promise.catch(() => undefined);
    this.#say(inFlight);
  }

  /** Says nothing more; resolves when everything is acknowledged. @throws Error when the connection ended. */
  async end(): Promise<void> {
    this.#running = false;
    if (this.#outstanding === 0) this.#ended.resolve();
    await this.#ended.promise;
  }

  #next(): void {
    const due = this.#due;
    this.#due = 0;
    if (this.#running) this.#say(due);
    else if (this.#outstanding === 0) this.#ended.resolve();
  }
}
