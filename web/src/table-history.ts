import type { Room, RoomEvent } from "../../client/src/index.ts";
import type { Table } from "./table.ts";

/** Events of a page, in a room where people talk; and where a dealer deals, which stores ten times as many. */
const PAGE = 50;
const LONGEST_PAGE = 300;
/** How many pages are read at once in search of talk. */
const MOST_PAGES = 5;

/** What people said, and from where on older things are to be had. */
export interface Talk {
  readonly events: readonly RoomEvent[];
  readonly oldestSeq: number;
  readonly hasMore: boolean;
}

/** Reads what was said before an event. Where a dealer deals, pages are read until somebody said something. */
export async function readTalk(room: Pick<Room, "history">, table: Table, before: number): Promise<Talk> {
  const limit = table.state === undefined ? PAGE : LONGEST_PAGE;
  let talk: Talk = { events: [], oldestSeq: before, hasMore: true };
  for (let pages = 0; pages < MOST_PAGES && talk.events.length === 0 && talk.hasMore; pages++) {
    const { events, hasMore } = await room.history({ beforeSeq: talk.oldestSeq, limit });
    const said = events.filter((event) => !table.take(event));
    talk = { events: said, oldestSeq: events[0]?.seq ?? talk.oldestSeq, hasMore };
  }
  return talk;
}
