import { createInbox, type Msg } from "@nats-io/transport-node";
import { headerBlock, subjectNumber } from "./nats-headers.ts";
import type { NatsLink } from "./nats-link.ts";

/** Why a request was not answered. Only `no_responders` says that nobody received it. */
export type NoAnswer = "no_responders" | "timeout" | "disconnected" | "closed";

/** Hears the answer of a request, or why there is none; called once. */
export type Settle = (answer: Msg | NoAnswer) => void;

const SWEEP_MS = 50;
/** The status by which the server itself answers what nobody listens to. */
const NO_RESPONDERS = 503;

interface Pending {
  readonly settle: Settle;
  readonly expires: number;
}

/**
 * Requests and their answers, as lean as publishing needs them: one subscription, one callback and one timer for all,
 * where the client's own request() makes two promises, a timer and an Error each and tops out at 17 k/s.
 */
export class Requests {
  readonly #link: NatsLink;
  readonly #inbox = createInbox();
  readonly #pending = new Map<number, Pending>();
  readonly #unsubscribe: () => void;
  #last = 0;
  #sweeper: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: { readonly link: NatsLink }) {
    this.#link = options.link;
    const unsubscribe = this.#link.subscribe(`${this.#inbox}.*`, (msg) => this.#onAnswer(msg));
    const stopListening = this.#link.onChange((connected) => {
      // Answers to what was asked over the lost connection will never come.
      if (!connected) this.#settleAll("disconnected");
    });
    this.#unsubscribe = () => {
      stopListening();
      unsubscribe();
    };
  }

  /**
   * Sends a request. `settle` is never called before this returns.
   * @throws Error of the client when the payload is larger than the server allows.
   */
  send(subject: string, payload: Uint8Array | string, options: RequestOptions, settle: Settle): void {
    if (this.#closed || !this.#link.connected) {
      const reason = this.#closed ? "closed" : "disconnected";
      queueMicrotask(() => settle(reason));
      return;
    }
    const id = ++this.#last;
    this.#link.nc.publish(subject, payload, {
      reply: `${this.#inbox}.${id}`,
      ...(options.headers ? { headers: headerBlock(options.headers) } : {}),
    });
    this.#pending.set(id, { settle, expires: performance.now() + options.timeoutMs });
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS);
  }

  /** Settles everything with `closed`; later requests too. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unsubscribe();
    this.#settleAll("closed");
  }

  #onAnswer(msg: Msg): void {
    const id = subjectNumber(msg, this.#inbox.length + 1);
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#remove(id);
    const isStatus = msg.data.length === 0 && msg.headers?.code === NO_RESPONDERS;
    pending.settle(isStatus ? "no_responders" : msg);
  }

  #sweep(): void {
    const now = performance.now();
    for (const [id, pending] of this.#pending) {
      if (pending.expires > now) continue;
      this.#remove(id);
      pending.settle("timeout");
    }
  }

  #settleAll(reason: NoAnswer): void {
    for (const [id, pending] of [...this.#pending]) {
      this.#remove(id);
      pending.settle(reason);
    }
  }

  #remove(id: number): void {
    this.#pending.delete(id);
    if (this.#pending.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}

/** How to send a request. */
export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** How long to wait for an answer, in milliseconds. */
  readonly timeoutMs: number;
}
