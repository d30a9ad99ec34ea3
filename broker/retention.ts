/** What history shows and what the log keeps. Every number is at least 1. */
export interface Retention {
  /** How many of a room's latest events are shown. */
  readonly maxMessages: number;
  /** Age from which an event is no longer shown, in milliseconds. */
  readonly maxAgeMs: number;
  /** Size of the whole log in bytes, above which its oldest events are deleted. */
  readonly maxBytes: number;
}
