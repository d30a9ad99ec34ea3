import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import type { Broker } from "../../../broker/broker.ts";
import { openEmbeddedBroker } from "../../../broker/embedded.ts";
import { type Edge, type EdgeOptions, startEdge } from "../../../edge/edge.ts";
import { RoomSchema } from "../../../gen/baccarat/v1/room_pb.ts";
import { DEFAULT_LIMITS } from "../../../services/limits.ts";
import { createLog, type Logger } from "../../../services/log.ts";
import { Metrics } from "../../../services/metrics.ts";
import { type ControlPlane, openControlPlane } from "../../../services/room/control-plane.ts";
import { edgeTransport } from "../../../services/room/rpc/edge-transport.ts";
import type { Tracer } from "../../../services/tracing.ts";
import { type ConnectOptions, TestClient } from "../../support/client.ts";
import { FaultyBroker } from "./faulty-broker.ts";
import { room } from "./stored.ts";

/** The product in one process, without main.ts: broker, control plane and any number of edges. */
export class InProcess implements AsyncDisposable {
  readonly broker: Broker;
  readonly controlPlane: ControlPlane;
  readonly log: Logger;
  readonly metrics = new Metrics();
  readonly #directory: string;
  readonly #edges: Edge[] = [];
  readonly #clients: TestClient[] = [];

  /** `losesLive`: the control plane says where logs end, as it does where live events may be lost. */
  static async start(
    options: { readonly logLevel?: string; readonly tracer?: Tracer; readonly losesLive?: boolean } = {},
  ): Promise<InProcess> {
    const log = createLog({ level: options.logLevel ?? process.env.LOG_LEVEL ?? "silent" });
    const directory = await mkdtemp(join(tmpdir(), "baccarat-edge-"));
    const broker = await openEmbeddedBroker({ dataDir: directory, retention: RETENTION, log });
    const { tracer } = options;
    const limits = DEFAULT_LIMITS;
    const seen = options.losesLive ? new FaultyBroker(broker) : broker;
    const controlPlane = await openControlPlane({ broker: seen, limits, roomCreation: "open", tracer, log });
    return new InProcess({ broker, controlPlane, log, directory });
  }

  private constructor(parts: { broker: Broker; controlPlane: ControlPlane; log: Logger; directory: string }) {
    this.broker = parts.broker;
    this.controlPlane = parts.controlPlane;
    this.log = parts.log;
    this.#directory = parts.directory;
  }

  /** Starts an edge; without a default room unless one is given. */
  async edge(options: Partial<EdgeOptions> = {}): Promise<Edge> {
    const { log, broker, metrics } = this;
    const edge = await startEdge({
      broker,
      transports: [edgeTransport(this.controlPlane, { observer: { onCall: () => undefined }, log })],
      edgeId: `edge-${this.#edges.length}`,
      host: "127.0.0.1",
      port: 0,
      allowedOrigins: undefined,
      trustProxy: [],
      staticDir: undefined,
      defaultRoom: room("general"),
      limits: this.limits,
      history: RETENTION,
      metrics,
      log,
      ...options,
    });
    this.#edges.push(edge);
    return edge;
  }

  /** Limits edges have unless told otherwise: tests send faster than people do. */
  readonly limits = {
    ...DEFAULT_LIMITS,
    messagesPerSecond: 10_000,
    messageBurst: 10_000,
    messagesPerSecondPerUser: 10_000,
    messageBurstPerUser: 10_000,
  };

  /** Creates a room that is not as those that nobody configured. */
  async createRoom(id: string, settings: { private?: boolean; frozen?: boolean; slowModeMs?: number }): Promise<void> {
    await this.controlPlane.rooms.create(room(id), create(RoomSchema, { roomId: id, ...settings }));
  }

  /** Connects a client that joins nothing by itself, unless the options say so. */
  async client(edge: Edge, options: ConnectOptions = {}): Promise<TestClient> {
    const client = await TestClient.connect(edge.url, options);
    this.#clients.push(client);
    await client.next("welcome");
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.terminate();
    for (const edge of this.#edges) await edge.close();
    await this.controlPlane.close();
    await this.broker.close();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

const RETENTION = { maxMessages: 1_000, maxAgeMs: 7 * 24 * 3_600_000, maxBytes: 1024 ** 3 };
