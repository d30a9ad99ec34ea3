import { PATIENCE_MS, within } from "./eventually.ts";
import {
  type Ack,
  type ErrorPayload,
  type Frame,
  type FrameOf,
  type FrameType,
  isFrame,
  type Payloads,
  type Replies,
  type RequestType,
  type Welcome,
} from "./frame-types.ts";
import { type Closing, type Handshake, openNative, openWs, type Wire, type WireListener } from "./wire.ts";

/** How to connect. */
export interface ConnectOptions {
  /** Parameters of the URL. Default: `room_id=`, so that the client joins nothing by itself. */
  readonly query?: Readonly<Record<string, string>>;
  /** Subprotocols to offer. Default: none. */
  readonly protocols?: readonly string[];
  readonly origin?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Which WebSocket implementation to use. Default `ws`. */
  readonly transport?: "ws" | "native";
  /** False: pings are left unanswered. Default true. */
  readonly autoPong?: boolean;
  /** Hears every frame before it is logged; returns false to keep it out of the log, for floods. */
  readonly onFrame?: (frame: Frame) => boolean;
}

/** A frame was answered by `error`. */
export class FrameError extends Error {
  readonly payload: ErrorPayload;

  constructor(type: string, payload: ErrorPayload) {
    super(`${type} was answered by ${payload.code}: ${payload.message}`);
    this.name = "FrameError";
    this.payload = payload;
  }
}

interface Waiter {
  tryTake(frame: Frame): boolean;
}

const RECENT_FRAMES = 8;

/** A client that knows the protocol and nothing of the product: it logs what it receives and waits for what it is told to. */
export class TestClient implements WireListener {
  /** Every frame received, in order, but those onFrame kept out. */
  readonly frames: Frame[] = [];
  /** Settles when the connection has ended. */
  readonly closed: Promise<Closing>;
  readonly #url: string;
  readonly #onFrame: (frame: Frame) => boolean;
  readonly #taken = new WeakSet<Frame>();
  readonly #waiters = new Set<Waiter>();
  readonly #resolveClosed: (closing: Closing) => void;
  #wire: Wire | undefined;
  #welcome: Welcome | undefined;
  #closing: Closing | undefined;
  #pings = 0;
  #lastId = 0;

  /** Resolves when the WebSocket is open. `edge` is the base URL, such as http://127.0.0.1:3000. */
  static async connect(edge: string, options: ConnectOptions = {}): Promise<TestClient> {
    const url = new URL("/ws", edge);
    url.protocol = "ws:";
    for (const [name, value] of Object.entries(options.query ?? { room_id: "" })) url.searchParams.set(name, value);
    const handshake: Handshake = {
      url: url.href,
      protocols: options.protocols ?? [],
      headers: { ...(options.origin === undefined ? {} : { origin: options.origin }), ...options.headers },
      autoPong: options.autoPong ?? true,
    };
    const client = new TestClient(url.href, options.onFrame);
    const open = options.transport === "native" ? openNative : openWs;
    client.#wire = await within(PATIENCE_MS, `the handshake with ${url.href}`, open(handshake, client));
    return client;
  }

  private constructor(url: string, onFrame: ConnectOptions["onFrame"]) {
    this.#url = url;
    this.#onFrame = onFrame ?? (() => true);
    const { promise, resolve } = Promise.withResolvers<Closing>();
    this.closed = promise;
    this.#resolveClosed = resolve;
  }

  /** The latest `welcome`. @throws Error before the first one. */
  get welcome(): Welcome {
    if (this.#welcome === undefined) throw new Error(`no welcome yet${this.#state()}`);
    return this.#welcome;
  }

  /** Who the server says this client is. @throws Error before `welcome`. */
  get uid(): string {
    return this.welcome.uid;
  }

  /** The subprotocol the server selected. */
  get protocol(): string {
    return this.#connected.protocol;
  }

  /** How many pings were received. */
  get pings(): number {
    return this.#pings;
  }

  /** True until the connection has ended. */
  get isOpen(): boolean {
    return this.#closing === undefined;
  }

  /** Sends a frame with a new id and returns the reply's payload. @throws FrameError when the reply is `error`. */
  async request<T extends RequestType>(
    type: T,
    payload: object = {},
    options: { readonly id?: string; readonly withinMs?: number } = {},
  ): Promise<Payloads[Replies[T]]> {
    const id = options.id ?? this.newId();
    this.send(type, payload, id);
    const reply = await this.reply(id, type, options.withinMs);
    if (isFrame(reply, "error")) throw new FrameError(type, reply.payload);
    return reply.payload as Payloads[Replies[T]];
  }

  /** Sends a frame that must be answered by `error`, and returns the error. */
  async refused(type: string, payload: unknown): Promise<ErrorPayload> {
    const id = this.newId();
    this.send(type, payload, id);
    const reply = await this.reply(id, type);
    if (!isFrame(reply, "error")) throw new Error(`${type} was answered by ${JSON.stringify(reply)}, not by an error`);
    return reply.payload;
  }

  /** Sends a message and returns its ack. @throws FrameError. */
  say(room: string, message: string, more: object = {}): Promise<Ack> {
    return this.request("send_message", { room_id: room, message, ...more });
  }

  /** Waits for the frame that carries `id`, whatever its type. */
  reply(id: string, type: string, withinMs: number = PATIENCE_MS): Promise<Frame> {
    return this.#take((frame) => frame.id === id, `the reply to ${type} (id ${id})`, withinMs);
  }

  /**
   * Takes the first frame of a type, received already or yet to come, that no earlier call took.
   * `what` says which one, for the message of a failing wait.
   */
  async next<T extends FrameType>(
    type: T,
    matches: (payload: Payloads[T]) => boolean = () => true,
    options: { readonly what?: string; readonly withinMs?: number } = {},
  ): Promise<FrameOf<T>> {
    const fits = (frame: Frame): boolean => isFrame(frame, type) && matches(frame.payload as Payloads[T]);
    const what = options.what === undefined ? type : `${type} ${options.what}`;
    return (await this.#take(fits, what, options.withinMs ?? PATIENCE_MS)) as FrameOf<T>;
  }

  /** All frames of a type in the log. */
  all<T extends FrameType>(type: T): FrameOf<T>[] {
    return this.frames.filter((frame): frame is Frame & FrameOf<T> => isFrame(frame, type));
  }

  /** Sends a frame and waits for nothing. */
  send(type: string, payload: unknown, id?: string): void {
    this.sendText(JSON.stringify({ type, ...(id === undefined ? {} : { id }), payload }));
  }

  /** Sends any text as one message. */
  sendText(text: string): void {
    this.#connected.sendText(text);
  }

  /** Sends a binary message. */
  sendBinary(bytes: Uint8Array): void {
    this.#connected.sendBinary(bytes);
  }

  /** An id this client has not used. */
  newId(): string {
    this.#lastId += 1;
    return `${this.#lastId}-${crypto.randomUUID()}`;
  }

  /** Closes as a page that is left does, and waits until it is done. */
  async close(code = 1000): Promise<Closing> {
    if (this.isOpen) this.#connected.close(code);
    return await this.closing();
  }

  /** Waits for the end of the connection. */
  closing(withinMs: number = PATIENCE_MS): Promise<Closing> {
    return within(withinMs, `the end of the connection to ${this.#url}`, this.closed, () => this.#state());
  }

  /** Drops the connection without a word. */
  terminate(): void {
    this.#connected.terminate();
  }

  /** Stops reading. */
  pause(): void {
    this.#connected.pause();
  }

  /** Reads again. */
  resume(): void {
    this.#connected.resume();
  }

  onText(text: string): void {
    const frame = JSON.parse(text) as Frame;
    if (isFrame(frame, "welcome")) this.#welcome = frame.payload;
    if (!this.#onFrame(frame)) return;
    this.frames.push(frame);
    for (const waiter of this.#waiters) {
      if (!waiter.tryTake(frame)) continue;
      this.#waiters.delete(waiter);
      this.#taken.add(frame);
      return;
    }
  }

  onPing(): void {
    this.#pings += 1;
  }

  onClose(closing: Closing): void {
    this.#closing = closing;
    this.#resolveClosed(closing);
  }

  get #connected(): Wire {
    if (this.#wire === undefined) throw new Error("not connected yet");
    return this.#wire;
  }

  async #take(fits: (frame: Frame) => boolean, what: string, withinMs: number): Promise<Frame> {
    const received = this.frames.find((frame) => !this.#taken.has(frame) && fits(frame));
    if (received) {
      this.#taken.add(received);
      return received;
    }
    const { promise, resolve, reject } = Promise.withResolvers<Frame>();
    const waiter: Waiter = {
      tryTake: (frame) => {
        if (!fits(frame)) return false;
        resolve(frame);
        return true;
      },
    };
    this.#waiters.add(waiter);
    const gone = (): void => reject(new Error(`the connection ended while waiting for ${what}${this.#state()}`));
    void this.closed.then(gone);
    try {
      return await within(withinMs, what, promise, () => this.#state());
    } finally {
      this.#waiters.delete(waiter);
    }
  }

  #state(): string {
    const closing = this.#closing ? `, closed ${this.#closing.code} ${this.#closing.reason}` : "";
    const recent = this.frames.slice(-RECENT_FRAMES).map((frame) => `\n  ${JSON.stringify(frame).slice(0, 300)}`);
    return ` (${this.#url}${closing}; ${this.frames.length} frames, the last ones:${recent.join("")})`;
  }
}
