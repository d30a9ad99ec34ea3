const ROOM_ID = /^[A-Za-z0-9_.:@-]{1,64}$/;
const RESERVED = "direct:";

/** True for what the server takes as the name of a room. */
export function isRoomId(text: string): boolean {
  return ROOM_ID.test(text) && !text.startsWith(RESERVED);
}

/** What a user typed, as the name of a room: spaces become dashes and a leading # goes. */
export function toRoomId(text: string): string {
  return text.trim().replace(/^#+/u, "").replace(/\s+/gu, "-");
}

/** Those whose name holds the query, beginnings first, otherwise in the order given. An empty query takes all. */
export function search<T>(items: readonly T[], query: string, name: (item: T) => string): T[] {
  const wanted = query.trim().replace(/^#+/u, "").toLocaleLowerCase();
  const found = items
    .map((item) => ({ item, at: name(item).toLocaleLowerCase().indexOf(wanted) }))
    .filter(({ at }) => at >= 0);
  return [...found.filter(({ at }) => at === 0), ...found.filter(({ at }) => at > 0)].map(({ item }) => item);
}
