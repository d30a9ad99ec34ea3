import { FIXED } from "../services/limits.ts";

/** A connection that is to be kept alive. */
export interface Beating {
  /** Bytes received so far. */
  readonly bytesRead: number;
  /** True while nothing is read from it by our own choice. */
  readonly paused: boolean;
  ping(): void;
  /** It was silent for FIXED.heartbeatTimeoutMs. */
  onSilent(): void;
}

interface Pulse {
  bytesRead: number;
  silentMs: number;
  /** In which of the heartbeat's seconds it is pinged: random, so that pings do not come in herds. */
  readonly phase: number;
}

const TICK_MS = 1_000;
const TICKS = FIXED.heartbeatMs / TICK_MS;

/** One clock for all connections: pings each every FIXED.heartbeatMs and finds those that are silent. */
export class Heartbeat {
  readonly #pulses = new Map<Beating, Pulse>();
  readonly #timer: NodeJS.Timeout;
  #tick = 0;
  #tickedAt = performance.now();

  constructor() {
    this.#timer = setInterval(() => this.#beat(), TICK_MS);
  }

  /** Begins to watch a connection. */
  add(connection: Beating): void {
    const phase = Math.floor(Math.random() * TICKS);
    this.#pulses.set(connection, { bytesRead: connection.bytesRead, silentMs: 0, phase });
  }

  /** Stops watching; returns when its last byte came, by performance.now(), at most a tick too late. */
  remove(connection: Beating): number {
    const pulse = this.#pulses.get(connection);
    this.#pulses.delete(connection);
    if (pulse === undefined || pulse.bytesRead !== connection.bytesRead) return performance.now();
    return this.#tickedAt - pulse.silentMs;
  }

  /** Stops the clock. */
  close(): void {
    clearInterval(this.#timer);
    this.#pulses.clear();
  }

  #beat(): void {
    const now = performance.now();
    // A process that stood still did not hear what may have come: such time is nobody's silence.
    // In whole milliseconds, as other numbers take an object of their own in each pulse.
    const elapsedMs = Math.round(Math.min(now - this.#tickedAt, 2 * TICK_MS));
    this.#tickedAt = now;
    this.#tick = (this.#tick + 1) % TICKS;
    // A loop would make two objects for each connection, every second: most of the garbage of those that are idle.
    this.#pulses.forEach((pulse, connection) => {
      const { bytesRead } = connection;
      if (bytesRead !== pulse.bytesRead) {
        pulse.bytesRead = bytesRead;
        pulse.silentMs = 0;
      } else if (!connection.paused) {
        pulse.silentMs += elapsedMs;
      }
      if (pulse.silentMs >= FIXED.heartbeatTimeoutMs) connection.onSilent();
      else if (pulse.phase === this.#tick) connection.ping();
    });
  }
}
