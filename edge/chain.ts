import type { StoredEvent } from "../broker/broker.ts";

/**
 * How a live event stands to the last one heard of its room.
 * - `next`: nothing lies between the two.
 * - `old`: heard before, or covered by a read.
 * - `hole`: at least one event between the two was lost on its way.
 * - `unknown`: the broker does not know the predecessor (it was deleted, or retention took it); a read tells.
 */
export type Succession = "next" | "old" | "hole" | "unknown";

/**
 * Judges a live event by the position up to which its room is known. Seqs are not dense, so only prevSeq shows a hole;
 * and it names the predecessor *as far as known*: a lower number than `last` is no contradiction, since `last` may be
 * a position beyond the room's last event.
 */
export function succession(last: number, event: Pick<StoredEvent, "seq" | "prevSeq">): Succession {
  if (event.seq <= last) return "old";
  if (event.prevSeq > last) return "hole";
  // Position 0 is the beginning of the log: nothing can have come before an event without a predecessor.
  return event.prevSeq === 0 && last > 0 ? "unknown" : "next";
}
