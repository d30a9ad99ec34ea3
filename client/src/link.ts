import { backoffMs, COMING_BACK, mayReconnect, UNAUTHENTICATED } from "./backoff.ts";
import type { ConnectionState } from "./types.ts";
import { RoomClientError } from "./types.ts";
import { type Frame, randomId, readError, readFrame } from "./wire.ts";

/** The part of the WebSocket interface that is used: browsers, Node 22+ and React Native have it. */
export type WebSocketConstructor = new (url: string, protocols?: string | string[]) => WebSocketLike;

/** See WebSocketConstructor. */
export interface WebSocketLike {
  readonly readyState: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

/** What the link needs from the client. */
export interface LinkOptions {
  readonly url: string;
  readonly WebSocket: WebSocketConstructor;
  /** How long a reply may take before the request fails with `timeout`, in milliseconds. */
  readonly requestTimeoutMs: number;
  readonly random: () => number;
  /** Payload of the `login` frame to begin with; undefined when the server's own `welcome` is enough. `renew`: the last token was refused. */
  readonly login: (renew: boolean) => Promise<Record<string, unknown> | undefined>;
  /** The client is known to the server; frames may be sent. */
  readonly onWelcome: (welcome: Frame) => void;
  readonly onFrame: (frame: Frame) => void;
  readonly onState: (state: ConnectionState) => void;
  /** The connection is gone: whatever was not answered never will be. */
  readonly onLost: () => void;
}

interface Pending {
  readonly resolve: (frame: Frame) => void;
  readonly reject: (error: RoomClientError) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** One connection at a time, and another after it: opens, logs in, matches replies, notices silence, comes back. */
export class Link {
  readonly #options: LinkOptions;
  readonly #pending = new Map<string, Pending>();
  #socket: WebSocketLike | undefined;
  #live = false;
  #stopped = false;
  #attempt = 0;
  #renew = false;
  /** The server's `welcome` that came before this client knew whether to log in. */
  #unasked: Frame | undefined;
  /** This connection needs no login. */
  #guest = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #watchdog: ReturnType<typeof setInterval> | undefined;
  #lastFrameAt = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** True between `welcome` and the loss of the connection. */
  get live(): boolean {
    return this.#live;
  }

  /** Opens the connection, now rather than at the end of a wait. */
  connect(): void {
    if (this.#stopped || this.#socket) return;
    clearTimeout(this.#retry);
    this.#options.onState({ name: "connecting" });
    const socket = new this.#options.WebSocket(this.#options.url, "baccarat.v1.json");
    this.#socket = socket;
    socket.onopen = () => void this.#login(socket);
    socket.onmessage = (event: { data: unknown }) => this.#receive(socket, event.data);
    // An error is always followed by a close, which says more.
    socket.onerror = () => undefined;
    socket.onclose = (event: { code: number; reason: string }) => this.#lost(socket, event.code, event.reason);
  }

  /** Sends a frame and resolves with its reply. @throws RoomClientError the server's, `closed` or `timeout`. */
  request(type: string, payload: Record<string, unknown>, id: string = randomId()): Promise<Frame> {
    const socket = this.#socket;
    if (!socket || !this.#live) return Promise.reject(new RoomClientError("closed", "not connected", true));
    return this.#ask(socket, type, payload, id);
  }

  /** Checks that the connection still answers, and replaces it when not. */
  async probe(): Promise<void> {
    const socket = this.#socket;
    if (!socket || !this.#live) return;
    try {
      await this.#ask(socket, "ping", {}, randomId());
    } catch {
      this.#abandon(socket, "no answer to ping");
    }
  }

  /** Leaves, and comes back at once: on the server's `reconnect`, or when the network changed. */
  renew(): void {
    const socket = this.#socket;
    if (socket) this.#abandon(socket, "reconnect", true);
  }

  /** Ends for good. */
  stop(code: number, reason: string): void {
    if (this.#stopped) return;
    this.#stopped = true;
    const socket = this.#socket;
    this.#detach();
    clearTimeout(this.#retry);
    socket?.close(code, reason);
    this.#options.onState({ name: "closed", code, reason });
  }

  /** A guest is welcomed unasked; whoever logs in waits for the reply to that, which names the right user. */
  async #login(socket: WebSocketLike): Promise<void> {
    try {
      const payload = await this.#options.login(this.#renew);
      if (socket !== this.#socket) return;
      if (payload) await this.#ask(socket, "login", payload, randomId());
      else await this.#enterAsGuest(socket);
    } catch (error) {
      if (error instanceof RoomClientError && error.code === "unauthenticated") this.#refused(socket, error.message);
      else this.#abandon(socket, error instanceof Error ? error.message : "login failed");
    }
  }

  async #enterAsGuest(socket: WebSocketLike): Promise<void> {
    if (this.#unasked) this.#welcome(this.#unasked);
    else this.#guest = true;
    // A server that wants a login welcomes nobody, and says so only when asked something.
    await this.#ask(socket, "ping", {}, randomId());
  }

  /** The server took neither session nor token, or wants one: the same as if it had closed with that code. */
  #refused(socket: WebSocketLike, reason: string): void {
    if (socket !== this.#socket) return;
    socket.close(COMING_BACK, "");
    this.#lost(socket, UNAUTHENTICATED, reason);
  }

  #welcome(frame: Frame): void {
    this.#live = true;
    this.#attempt = 0;
    this.#renew = false;
    const heartbeatMs = Number(frame.payload.heartbeat_ms) || 8_000;
    clearInterval(this.#watchdog);
    // Browsers do not show WebSocket pings, so silence says nothing by itself: ask.
    this.#watchdog = setInterval(() => {
      if (Date.now() - this.#lastFrameAt >= heartbeatMs * 2) void this.probe();
    }, heartbeatMs);
    this.#options.onWelcome(frame);
    this.#options.onState({ name: "live" });
  }

  #receive(socket: WebSocketLike, data: unknown): void {
    if (socket !== this.#socket) return;
    this.#lastFrameAt = Date.now();
    const frame = readFrame(data);
    if (!frame) return;
    const pending = frame.id === undefined ? undefined : this.#pending.get(frame.id);
    if (pending && frame.id !== undefined) {
      this.#pending.delete(frame.id);
      clearTimeout(pending.timer);
      // At once: frames that came in the same packet are heard before whoever awaits the reply goes on.
      if (frame.type === "welcome" && !this.#live) this.#welcome(frame);
      if (frame.type === "error") pending.reject(readError(frame));
      else pending.resolve(frame);
      return;
    }
    if (frame.type === "welcome") {
      if (this.#guest && !this.#live) this.#welcome(frame);
      else this.#unasked = frame;
    } else if (frame.type === "reconnect")
      this.#retry = setTimeout(() => this.renew(), Number(frame.payload.delay_ms) || 0);
    else this.#options.onFrame(frame);
  }

  #ask(socket: WebSocketLike, type: string, payload: Record<string, unknown>, id: string): Promise<Frame> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new RoomClientError("timeout", `no answer to ${type}`, true));
      }, this.#options.requestTimeoutMs);
      this.#pending.set(id, { resolve, reject, timer });
      socket.send(JSON.stringify({ type, id, payload }));
    });
  }

  #abandon(socket: WebSocketLike, reason: string, atOnce = false): void {
    if (socket !== this.#socket) return;
    socket.close(COMING_BACK, reason.slice(0, 100));
    this.#lost(socket, COMING_BACK, reason, atOnce);
  }

  #lost(socket: WebSocketLike, code: number, reason: string, atOnce = false): void {
    if (socket !== this.#socket || this.#stopped) return;
    this.#detach();
    const newToken = code === UNAUTHENTICATED && !this.#renew;
    this.#renew ||= newToken;
    if (!mayReconnect(code) && !newToken) {
      this.#stopped = true;
      this.#options.onState({ name: "closed", code, reason });
      return;
    }
    const wait = atOnce ? 0 : backoffMs(this.#attempt, this.#options.random);
    this.#attempt++;
    this.#options.onState({ name: "reconnecting", attempt: this.#attempt, retryAt: Date.now() + wait, code, reason });
    this.#retry = setTimeout(() => this.connect(), wait);
  }

  #detach(): void {
    this.#socket = undefined;
    this.#live = false;
    this.#unasked = undefined;
    this.#guest = false;
    clearInterval(this.#watchdog);
    clearTimeout(this.#retry);
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer);
      pending.reject(new RoomClientError("closed", "the connection was lost", true));
    }
    this.#pending.clear();
    this.#options.onLost();
  }
}
