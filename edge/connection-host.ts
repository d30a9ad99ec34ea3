import type { Limits } from "../services/limits.ts";
import type { Logger } from "../services/log.ts";
import type { Metrics } from "../services/metrics.ts";
import type { Span, Tracer } from "../services/tracing.ts";
import type { Connection } from "./connection.ts";
import type { ExpiryWheel } from "./expiry-wheel.ts";
import type { FanOut } from "./fan-out.ts";
import type { ParsedFrame } from "./frames.ts";
import type { Greeting } from "./greeting.ts";
import type { Heartbeat } from "./heartbeat.ts";
import type { Authenticator, Identity } from "./identity.ts";
import type { RateRule } from "./rate-limit.ts";
import type { RateLimits } from "./rate-limits.ts";

/** What connections need of their edge. */
export interface ConnectionHost {
  readonly limits: Limits;
  readonly fanOut: FanOut;
  readonly heartbeat: Heartbeat;
  /** Ends connections whose token does. */
  readonly expiries: ExpiryWheel;
  readonly authenticator: Authenticator;
  /** How fast each connection may send … */
  readonly frameRate: RateRule;
  /** … and each user, over all connections. */
  readonly userRates: RateLimits;
  /** Default: frames are not traced. */
  readonly tracer?: Tracer | undefined;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Tells a client who it is that may yet turn out to be another. */
  welcome(connection: Connection, identity: Identity): void;
  /**
   * The client's identity is certain. Resolves when frames may be carried out: after the automatic join. Never rejects.
   * `greeting` says what to welcome it with, undefined when it was welcomed already.
   */
  onOpen(connection: Connection, greeting: Greeting | undefined): Promise<void>;
  /** Carries a frame out, as part of a span. @throws RoomError, or rejects with it: the frame's answer then. */
  execute(connection: Connection, frame: ParsedFrame, span: Span | undefined): void | Promise<void>;
  /** The connection ends with a close code; it has left its rooms here. `lastByteAt` is by performance.now(). */
  onEnd(connection: Connection, code: number, lastByteAt: number): void;
  /** Its socket is gone; `code` is what came over it, 1006 without a Close frame. */
  onGone(connection: Connection, code: number): void;
}
