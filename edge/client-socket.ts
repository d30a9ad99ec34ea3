import { type RawData, WebSocket } from "ws";
import { FIXED } from "../services/limits.ts";
import { RateLimit, type RateRule } from "./rate-limit.ts";

/**
 * How fast pings and pongs may come, which cost work but are no frames of the protocol. Below the 100 unsent pongs at
 * which ws cuts a connection off without a word.
 */
const CONTROL_FRAMES: RateRule = {
  perSecond: FIXED.controlFramesPerSecond,
  burst: FIXED.controlFrameBurst,
  maxWaitMs: 0,
};

/** Whose WebSocket it is. */
export interface ClientSocketOwner {
  /** A Close frame is about to be sent: nothing may be written behind it (RFC 6455, section 5.5.1). */
  onClosing(): void;
  onMessage(data: RawData, isBinary: boolean): void;
  onPong(): void;
  /** There were more pings and pongs than FIXED.controlFrameBurst at once and FIXED.controlFramesPerSecond after that. */
  onControlFlood(): void;
  /** The socket is gone; `code` is what came over it, 1006 without a Close frame. */
  onGone(code: number): void;
}

/** Who counts connections. */
export interface Gate {
  /** One from this network is gone. */
  left(network: string): void;
  /** The client broke the protocol, or its socket failed; ws ends the connection. */
  onProtocolError(error: Error): void;
}

/**
 * A client's WebSocket, which knows whose it is, and tells it without listeners: those, and closures of its own, would
 * take over half a kilobyte of each idle connection.
 */
export class ClientSocket extends WebSocket {
  #owner: ClientSocketOwner | undefined;
  #gate: Gate | undefined;
  #network = "";
  readonly #controlFrames = new RateLimit(CONTROL_FRAMES);

  /** Has it counted as one from a network, until it is gone. */
  count(gate: Gate, network: string): void {
    this.#gate = gate;
    this.#network = network;
  }

  /** Tells its owner what comes from now on. */
  tell(owner: ClientSocketOwner): void {
    this.#owner = owner;
    // An emitter without a table of listeners makes one for the first of them; an empty one takes 184 bytes.
    if (this.eventNames().length === 0) Reflect.set(this, "_events", undefined);
  }

  /** ws calls it, too: to answer the client's Close frame, and when the client broke the protocol. */
  override close(code?: number, reason?: string | Buffer): void {
    this.#owner?.onClosing();
    super.close(code, reason);
  }

  /** How ws says what happened. Listeners hear what nobody is told. */
  override emit(event: string | symbol, first?: unknown, second?: unknown): boolean {
    return this.#told(event, first, second) || super.emit(event, first, second);
  }

  #told(event: string | symbol, first: unknown, second: unknown): boolean {
    const owner = this.#owner;
    switch (event) {
      case "message":
        owner?.onMessage(first as RawData, second as boolean);
        return owner !== undefined;
      case "ping":
        this.#mayControl();
        return owner !== undefined;
      case "pong":
        if (this.#mayControl()) owner?.onPong();
        return owner !== undefined;
      case "close":
        this.#gate?.left(this.#network);
        owner?.onGone(first as number);
        return owner !== undefined;
      case "error":
        this.#gate?.onProtocolError(first as Error);
        return this.#gate !== undefined;
      default:
        return false;
    }
  }

  #mayControl(): boolean {
    if (this.#controlFrames.take(performance.now()) !== undefined) return true;
    this.#owner?.onControlFlood();
    return false;
  }
}
