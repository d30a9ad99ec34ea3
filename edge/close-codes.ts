/** How a connection ends, and what the client is to do about it. */
export interface CloseCode {
  readonly code: number;
  /** True when the client shall come back, with back-off. */
  readonly reconnect: boolean;
  /** Close reason as sent, at most 123 bytes. */
  readonly reason: string;
}

/**
 * Every close code the server sends: RFC 6455's own meanings first, then the protocol's. The number alone tells a client
 * what to do: 4000–4499 come back, 4500–4999 stop.
 */
export const CLOSE_CODES = {
  normal: { code: 1000, reconnect: false, reason: "bye" },
  unsupported_data: { code: 1003, reconnect: false, reason: "frames are text" },
  internal: { code: 1011, reconnect: true, reason: "internal error" },
  restart: { code: 1012, reconnect: true, reason: "the server restarts" },
  slow_consumer: { code: 4001, reconnect: true, reason: "slow_consumer" },
  heartbeat_timeout: { code: 4002, reconnect: true, reason: "heartbeat_timeout" },
  edge_fenced: { code: 4003, reconnect: true, reason: "edge_fenced" },
  rate_limited: { code: 4004, reconnect: true, reason: "rate_limited" },
  token_expired: { code: 4005, reconnect: true, reason: "token_expired" },
  login_timeout: { code: 4006, reconnect: true, reason: "login_timeout" },
  bad_frames: { code: 4500, reconnect: false, reason: "bad_frames" },
  unauthenticated: { code: 4501, reconnect: false, reason: "unauthenticated" },
  disconnected_by_admin: { code: 4503, reconnect: false, reason: "disconnected_by_admin" },
  replaced: { code: 4504, reconnect: false, reason: "replaced" },
  too_many_connections: { code: 4505, reconnect: false, reason: "too_many_connections" },
} as const satisfies Record<string, CloseCode>;

/** Name of a close code. */
export type CloseName = keyof typeof CLOSE_CODES;

/** What a closed connection means for its memberships. */
export interface Departure {
  /** As members see it. */
  readonly reason: "left" | "disconnected";
  /** True when the memberships last for FIXED.graceMs from the last byte received, in case the client comes back. */
  readonly grace: boolean;
}

/**
 * What a close means, by the code the connection closed with, whichever side chose it. 1000 and 1005 (no code) are how a
 * client says goodbye; 1001 is not, since browsers send it when a page is merely reloaded.
 */
export function departure(code: number): Departure {
  if (code === 1000 || code === 1005) return { reason: "left", grace: false };
  return { reason: "disconnected", grace: code < 4500 || code > 4599 };
}
