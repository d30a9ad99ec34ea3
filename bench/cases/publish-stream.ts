import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import {
  type PublishStreamRequest,
  PublishStreamRequestSchema,
  RoomService,
} from "../../gen/baccarat/v1/room_service_pb.ts";
import { median, type Plan, startMeter } from "../measure.ts";
import { LOAD_CPU, type Outcome } from "../report.ts";
import { type Product, product } from "../servers.ts";

/** Messages that may wait to be stored. */
const WINDOW = 4_096;
const BATCH = 256;
const ROOMS = 64;

interface Stream {
  readonly perSecond: number;
  readonly micros: number;
  readonly loadCpu: number;
}

/** PublishStream over HTTP/2: acknowledged messages of one service per second. */
export async function publishStreamCase(plan: Plan): Promise<Outcome> {
  const server = await product();
  const runs: Stream[] = [];
  for (let round = 0; round < plan.rounds; round++) runs.push(await stream(server, round, plan.seconds));
  await server.stop();
  const perSecond = median(runs.map((run) => run.perSecond));
  const row = {
    server: server.name,
    "messages/s": perSecond,
    "µs each": median(runs.map((run) => run.micros)),
    [LOAD_CPU]: median(runs.map((run) => run.loadCpu)),
  };
  const columns = { server: "text", "messages/s": "count", "µs each": "decimal", [LOAD_CPU]: "percent" } as const;
  const title = `PublishStream with idempotency keys, one stream over HTTP/2, up to ${WINDOW} waiting`;
  return {
    tables: [{ title, columns, rows: [row] }],
    figures: [{ name: "PublishStream", value: perSecond, unit: "messages per second", atLeast: 20_000 }],
  };
}

async function stream(server: Product, round: number, seconds: number): Promise<Stream> {
  const transport = createConnectTransport({ baseUrl: server.rpc, httpVersion: "2" });
  const window = new Window(`stream-${round}`);
  let acks = 0;
  let from = 0;
  let stop = startMeter(server);
  const warm = setTimeout(() => {
    [from, stop] = [acks, startMeter(server)];
  }, WARM_UP_MS);
  const end = setTimeout(() => window.close(), WARM_UP_MS + seconds * 1_000);
  let cost: ReturnType<typeof stop> | undefined;
  for await (const { results } of createClient(RoomService, transport).publishStream(window.requests())) {
    for (const { result } of results) {
      if (result.case !== "ack") throw new Error(`a message was not stored: ${result.value?.message}`);
    }
    if (!window.isClosed) acks += results.length;
    else cost ??= stop();
    window.settled(results.length);
  }
  clearTimeout(warm);
  clearTimeout(end);
  cost ??= stop();
  const measured = acks - from;
  return {
    perSecond: measured / cost.seconds,
    micros: ((cost.user + cost.system) / measured) * 1e6,
    loadCpu: cost.loadCpu,
  };
}

const WARM_UP_MS = 500;
const TEXT = "x".repeat(200);

/** Makes requests as long as no more than WINDOW messages wait. */
class Window {
  readonly #name: string;
  #waiting = 0;
  #next = 0;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  settled(count: number): void {
    this.#waiting -= count;
    this.#wake?.();
  }

  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  async *requests(): AsyncGenerator<PublishStreamRequest> {
    while (!this.#closed) {
      if (this.#waiting + BATCH > WINDOW) await this.#change();
      else yield this.#batch();
    }
    // The stream ends with the last request: what is on its way must be answered before.
    while (this.#waiting > 0) await this.#change();
  }

  #batch(): PublishStreamRequest {
    const items = Array.from({ length: BATCH }, () => {
      const number = this.#next++;
      const value = {
        roomId: `stream-${number % ROOMS}`,
        message: TEXT,
        idempotencyKey: `${this.#name}-${number}`,
      };
      return { number, content: { case: "sendMessage" as const, value } };
    });
    this.#waiting += BATCH;
    return create(PublishStreamRequestSchema, { items });
  }

  async #change(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
  }
}
