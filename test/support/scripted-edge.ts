import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { PATIENCE_MS, within } from "./eventually.ts";

/** A frame, both ways. */
export interface ScriptedFrame {
  readonly type: string;
  readonly id?: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** Who the client is told to be. */
export const SELF = "guest-self";

/** An edge that says what a test tells it to, when it tells it to: for what a real one does only in rare moments. */
export class ScriptedEdge {
  readonly #server: WebSocketServer;
  readonly #arrived: Visit[] = [];
  #wake: () => void = () => undefined;

  static async start(): Promise<ScriptedEdge> {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await once(server, "listening");
    return new ScriptedEdge(server);
  }

  private constructor(server: WebSocketServer) {
    this.#server = server;
    server.on("connection", (socket, request) => {
      this.#arrived.push(new Visit(socket, request.socket));
      this.#wake();
    });
  }

  /** For RoomClient. */
  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/ws`;
  }

  /** Waits for the next connection. Nothing was said to it yet. */
  async connection(): Promise<Visit> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    if (this.#arrived.length === 0) await within(PATIENCE_MS, "a connection", promise);
    const [first] = this.#arrived.splice(0, 1);
    if (first === undefined) throw new Error("two wait for one connection");
    return first;
  }

  /** Waits for the next connection and welcomes it; `more` is added to the welcome. */
  async welcomed(more: Readonly<Record<string, unknown>> = {}): Promise<Visit> {
    const visit = await this.connection();
    visit.push(welcome(more));
    return visit;
  }

  async close(): Promise<void> {
    for (const client of this.#server.clients) client.terminate();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** One connection of a client. Pings are answered. */
export class Visit {
  readonly #socket: WebSocket;
  readonly #tcp: Socket;
  readonly #received: ScriptedFrame[] = [];
  #wake: () => void = () => undefined;

  constructor(socket: WebSocket, tcp: Socket) {
    this.#socket = socket;
    this.#tcp = tcp;
    socket.on("message", (data) => {
      const frame = JSON.parse(String(data)) as ScriptedFrame;
      if (frame.type === "ping") return this.push(reply(frame, "pong", { time: "2023-12-04T01:35:59.834Z" }));
      this.#received.push(frame);
      this.#wake();
    });
  }

  /** Takes the next frame the client sent, of this type. @throws Error when it is of another. */
  async next(type: string): Promise<ScriptedFrame> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    if (this.#received.length === 0) await within(PATIENCE_MS, type, promise);
    const [frame] = this.#received.splice(0, 1);
    if (frame?.type !== type) throw new Error(`${JSON.stringify(frame)} came instead of ${type}`);
    return frame;
  }

  /** Frames that were not taken. */
  get untaken(): readonly ScriptedFrame[] {
    return this.#received;
  }

  /** Sends frames, in one packet. */
  push(...frames: readonly ScriptedFrame[]): void {
    this.#tcp.cork();
    for (const frame of frames) this.#socket.send(JSON.stringify(frame));
    this.#tcp.uncork();
  }

  /** Breaks the connection without a word. */
  drop(): void {
    this.#socket.terminate();
  }
}

/** The answer to a frame. */
export function reply({ id }: ScriptedFrame, type: string, payload: Readonly<Record<string, unknown>>): ScriptedFrame {
  return { type, ...(id === undefined ? {} : { id }), payload };
}

/** An `error` in answer to a frame. */
export function refusal(to: ScriptedFrame, code: string, retryable: boolean, retryAfterMs = 0): ScriptedFrame {
  const payload = { code, message: `scripted ${code}`, retryable, retry_after_ms: retryAfterMs };
  return reply(to, "error", { ...payload, request_type: to.type });
}

/** `welcome`, of a guest; `more` is added to it. */
export function welcome(more: Readonly<Record<string, unknown>> = {}): ScriptedFrame {
  const who = { client_id: "c-1", uid: SELF, username: "self", edge_id: "edge-1", session: "" };
  return {
    type: "welcome",
    payload: { ...who, heartbeat_ms: 60_000, token_expires_at: null, direct: [], epoch: "e1", ...more },
  };
}

/** `room_joined` in answer to a join; `more` is added to it. */
export function joined(to: ScriptedFrame, seq: number, more: Readonly<Record<string, unknown>> = {}): ScriptedFrame {
  const { room_id } = to.payload;
  const room = { room_id, epoch: "e1", seq, count: 1, members: [], events: [], recovered: false };
  return reply(to, "room_joined", { ...room, ...more });
}

/** `new_message` of somebody else; says its own seq. */
export function message(room: string, seq: number, prevSeq: number): ScriptedFrame {
  const where = { room_id: room, message_id: `e1-${seq}`, seq, prev_seq: prevSeq };
  const what = { uid: "guest-other", username: "other", message: `message ${seq}`, sent: "2023-12-04T01:35:59.834Z" };
  return { type: "new_message", payload: { ...where, ...what } };
}
