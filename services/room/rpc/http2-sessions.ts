import type { ServerHttp2Session } from "node:http2";
import type { Logger } from "../../log.ts";

/** A session and whether its last ping is still unanswered. */
interface Watched {
  readonly session: ServerHttp2Session;
  waiting: boolean;
}

/**
 * The HTTP/2 connections that are open. Streams such as Attach are silent for long and stay open for hours, so nothing
 * but a ping shows that the peer vanished without a word; without it, its streams would be kept, and written to, for
 * the many minutes that TCP takes to give up.
 */
export class Http2Sessions {
  readonly #watched = new Set<Watched>();
  readonly #timer: NodeJS.Timeout;
  readonly #log: Logger;

  constructor(options: { pingMs: number; log: Logger }) {
    this.#log = options.log;
    // Timers come before input: after a pause of this process the answers that came meanwhile are to be read first.
    this.#timer = setInterval(() => setImmediate(() => this.#pingAll()), options.pingMs).unref();
  }

  /** Watches a session until it closes. */
  add(session: ServerHttp2Session): void {
    const watched = { session, waiting: false };
    this.#watched.add(watched);
    session.on("error", (error) => this.#log.debug({ err: error }, "RPC connection failed"));
    session.once("close", () => this.#watched.delete(watched));
  }

  /** Tells every client to open no more streams (GOAWAY); a session ends with its last stream. Stops pinging. */
  close(): void {
    clearInterval(this.#timer);
    for (const { session } of this.#watched) session.close();
  }

  #pingAll(): void {
    for (const watched of this.#watched) {
      if (watched.session.destroyed) continue;
      if (watched.waiting) {
        this.#log.info("RPC client does not answer pings");
        watched.session.destroy();
        continue;
      }
      watched.waiting = watched.session.ping((error) => {
        if (!error) watched.waiting = false;
      });
    }
  }
}
