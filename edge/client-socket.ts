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
}

/**
 * A client's WebSocket, which knows whose it is: so all have the same listeners, and none has closures of its own, which
 * would take half a kilobyte of each idle connection.
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
    this.on("close", this.#onClose);
  }

  /** Tells its owner what comes from now on. */
  tell(owner: ClientSocketOwner): void {
    this.#owner = owner;
    if (this.#gate === undefined) this.on("close", this.#onClose);
    this.on("message", this.#onMessage);
    this.on("ping", this.#onPing);
    this.on("pong", this.#onPong);
  }

  /** ws calls it, too: to answer the client's Close frame, and when the client broke the protocol. */
  override close(code?: number, reason?: string | Buffer): void {
    this.#owner?.onClosing();
    super.close(code, reason);
  }

  // Called with the WebSocket as `this`, as all listeners are.
  #onMessage(data: RawData, isBinary: boolean): void {
    this.#owner?.onMessage(data, isBinary);
  }

  #onPing(): boolean {
    if (this.#controlFrames.take(performance.now()) !== undefined) return true;
    this.#owner?.onControlFlood();
    return false;
  }

  #onPong(): void {
    if (this.#onPing()) this.#owner?.onPong();
  }

  #onClose(code: number): void {
    this.#gate?.left(this.#network);
    this.#owner?.onGone(code);
  }
}
