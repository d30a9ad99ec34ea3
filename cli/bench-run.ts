import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { RoomClient } from "../client/src/client.ts";
import { type PublishStreamRequest, PublishStreamRequestSchema } from "../gen/baccarat/v1/room_service_pb.ts";
import { Deliveries } from "./bench-deliveries.ts";
import { CliError } from "./exit-codes.ts";
import { type Quantiles, quantiles } from "./quantiles.ts";
import type { Session } from "./session.ts";

/** What to measure, and with what. */
export interface BenchPlan {
  readonly session: Session;
  /** WebSocket URL. */
  readonly edge: string;
  readonly room: string;
  readonly clients: number;
  readonly messages: number;
  /** Messages per second; 0: as fast as they are stored. */
  readonly rate: number;
  /** Characters of a message. */
  readonly size: number;
  /** Messages that may wait to be stored. */
  readonly window: number;
  /** A client's token; undefined: the clients are guests. */
  readonly tokenOf: ((uid: string) => Promise<string>) | undefined;
  readonly onProgress: (what: string, done: number, of: number) => void;
}

/** What was measured; names are those of the JSON. */
export interface BenchResult {
  readonly room: string;
  readonly clients: number;
  readonly messages: number;
  /** From the first publish to the last delivery. */
  readonly seconds: number;
  readonly stored_per_second: number;
  readonly received_per_second: number;
  /** Messages that were not stored. */
  readonly failed: number;
  /** Deliveries that did not happen, and those that happened again, over all clients. */
  readonly lost: number;
  readonly duplicated: number;
  /** From the publish until it is known to be stored. */
  readonly ack_ms: Quantiles;
  /** From the publish until a client has it. */
  readonly delivery_ms: Quantiles;
}

/** Clients that connect at the same time. */
const CONNECTING = 20;
/** How long to connect a client, and how long nothing may arrive before the rest counts as lost, in milliseconds. */
const CONNECT_MS = 15_000;
const QUIET_MS = 10_000;
const PROGRESS_MS = 100;

/** Connects clients, publishes, and waits until everything has arrived. @throws CliError, ConnectError when it cannot begin. */
export async function runBench(plan: BenchPlan): Promise<BenchResult> {
  const deliveries = new Deliveries(plan.clients, plan.messages);
  const clients: RoomClient[] = [];
  const show = (): void => plan.onProgress("received", deliveries.count, plan.clients * plan.messages);
  let timer: NodeJS.Timeout | undefined;
  try {
    await connectAll(plan, clients, deliveries);
    deliveries.begin();
    timer = setInterval(show, PROGRESS_MS);
    const acks = await publishAll(plan, deliveries);
    await deliveries.complete(acks.stored, QUIET_MS, plan.session.shell.signal);
    return resultOf(plan, deliveries, acks);
  } finally {
    clearInterval(timer);
    for (const client of clients) client.close();
  }
}

async function connectAll(plan: BenchPlan, clients: RoomClient[], deliveries: Deliveries): Promise<void> {
  const numbers = Array.from({ length: plan.clients }, (_, number) => number).values();
  let joined = 0;
  const connectNext = async (): Promise<void> => {
    for (const number of numbers) {
      const client = await connect(plan, number);
      clients.push(client);
      const { room } = await withinTime(client.join(plan.room), `client ${number} to join ${plan.room}`, plan.edge);
      room.on("event", (event) => {
        if (event.kind === "message") deliveries.received(number, event.message.message);
      });
      joined += 1;
      plan.onProgress("joined", joined, plan.clients);
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONNECTING, plan.clients) }, connectNext));
}

async function connect({ edge, tokenOf }: BenchPlan, number: number): Promise<RoomClient> {
  const uid = `bench-${number}`;
  if (tokenOf === undefined) return new RoomClient(edge, { username: uid });
  const token = await tokenOf(uid);
  return new RoomClient(edge, { getToken: () => token });
}

/** What became of the publishes. */
interface Acks {
  readonly latencies: number[];
  stored: number;
  failed: number;
}

/** Publishes on one stream, so that what is measured is the cluster and not the cost of calls. */
async function publishAll(plan: BenchPlan, deliveries: Deliveries): Promise<Acks> {
  const acks: Acks = { latencies: [], stored: 0, failed: 0 };
  const pace = new Pace(plan);
  const requests = pace.requests((number) => deliveries.publish(number, plan.size));
  for await (const { results } of plan.session.rooms.publishStream(requests, plan.session.stream)) {
    const now = performance.now();
    for (const { number, result } of results) {
      pace.settled();
      if (result.case === "ack") {
        acks.stored += 1;
        acks.latencies.push(now - deliveries.publishedAt(number));
      } else acks.failed += 1;
    }
  }
  return acks;
}

/** Says when the next messages may go: as the window and the rate allow. */
class Pace {
  readonly #plan: BenchPlan;
  #waiting = 0;
  #wake: (() => void) | undefined;

  constructor(plan: BenchPlan) {
    this.#plan = plan;
  }

  settled(): void {
    this.#waiting -= 1;
    this.#wake?.();
  }

  async *requests(textOf: (number: number) => string): AsyncGenerator<PublishStreamRequest> {
    const { messages, window, rate, room } = this.#plan;
    const began = performance.now();
    for (let next = 0; next < messages; ) {
      const due =
        rate === 0 ? messages : Math.min(messages, Math.ceil(((performance.now() - began) / 1_000) * rate) || 1);
      const batch = Math.min(due - next, window - this.#waiting);
      if (batch <= 0) {
        await (due <= next ? sleep(1) : this.#room());
        continue;
      }
      const items = Array.from({ length: batch }, (_, index) => ({
        number: next + index,
        content: {
          case: "sendMessage" as const,
          value: { roomId: room, message: textOf(next + index), idempotencyKey: `${room}-${next + index}` },
        },
      }));
      this.#waiting += batch;
      next += batch;
      yield create(PublishStreamRequestSchema, { items });
    }
    // The stream ends with the last request; results of what is on its way must come before.
    while (this.#waiting > 0) await this.#room();
  }

  async #room(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
  }
}

function resultOf(plan: BenchPlan, deliveries: Deliveries, acks: Acks): BenchResult {
  const seconds = Math.max(deliveries.seconds, 0.001);
  return {
    room: plan.room,
    clients: plan.clients,
    messages: plan.messages,
    seconds: round(seconds),
    stored_per_second: Math.round(acks.stored / seconds),
    received_per_second: Math.round(deliveries.count / seconds),
    failed: acks.failed,
    lost: plan.clients * acks.stored - deliveries.count,
    duplicated: deliveries.duplicated,
    ack_ms: quantiles(acks.latencies),
    delivery_ms: quantiles(deliveries.latencies),
  };
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

async function withinTime<T>(promise: Promise<T>, what: string, where: string): Promise<T> {
  const late = new AbortController();
  const timeout = sleep(CONNECT_MS, undefined, { signal: late.signal }).then(() => {
    throw new CliError(`waited ${CONNECT_MS} ms in vain for ${what} at ${where}: --edge says where to connect`);
  });
  try {
    return await Promise.race([promise, timeout]);
  } catch (error) {
    throw error instanceof CliError || error instanceof ConnectError ? error : new CliError((error as Error).message);
  } finally {
    timeout.catch(() => undefined);
    late.abort();
  }
}
