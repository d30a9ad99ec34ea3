import type { RoomEvent } from "../../../client/src/types.ts";
import { Table as Dealt, type TableEvent } from "../../../examples/dealer/table.ts";
import { seeded } from "../examples/dealer/seeded.ts";

/** When the first event of a dealt table was sent, and how far apart events are, in milliseconds. */
export const BEGAN = Date.parse("2026-11-23T12:00:00Z");
export const STEP_MS = 1_000;
export const BETTING_MS = 12_000;

/** Everything a dealer tells of a shoe, and of the beginning of the next one. */
export function dealShoe(seed = 7): TableEvent[] {
  const table = new Dealt({ random: seeded(seed) });
  const events: TableEvent[] = [table.changeShoe(), table.state()];
  while (!table.needsShoe) {
    events.push(table.openRound(0, BETTING_MS), table.closeRound());
    for (let card = table.dealCard(); card !== undefined; card = table.dealCard()) events.push(card);
    events.push(table.settle(), table.state());
  }
  return [...events, table.changeShoe(), table.state()];
}

/** Those events as a room's client hands them over: every second one of its log, a second apart. */
export function asRoomEvents(events: readonly TableEvent[]): (RoomEvent & { readonly kind: "custom" })[] {
  return events.map(({ type, data }, index) => {
    const seq = 2 * (index + 1);
    const sent = new Date(BEGAN + index * STEP_MS).toISOString();
    return { kind: "custom", seq, event: { type, roomId: "r", seq, sent, data } };
  });
}
