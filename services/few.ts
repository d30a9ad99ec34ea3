/** None, one or several of something that is no array. One is kept as itself: in a list it would take 56 bytes more. */
export type Few<T extends object> = T | readonly T[] | undefined;

const NONE: readonly never[] = [];

/** All of them, in order. */
export function listOf<T extends object>(few: Few<T>): readonly T[] {
  if (few === undefined) return NONE;
  return isList(few) ? few : [few];
}

/** The first one that fits; makes no list of one. */
export function findIn<T extends object>(few: Few<T>, fits: (item: T) => boolean): T | undefined {
  if (few === undefined || isList(few)) return few?.find(fits);
  return fits(few) ? few : undefined;
}

/** With one more, at the end. */
export function including<T extends object>(few: Few<T>, item: T): Few<T> {
  // By concat and not by spread: an array that grows reserves space for sixteen.
  return few === undefined ? item : listOf(few).concat(item);
}

/** Without one of them. */
export function excluding<T extends object>(few: Few<T>, item: T): Few<T> {
  const rest = listOf(few).filter((other) => other !== item);
  return rest.length > 1 ? rest : rest[0];
}

function isList<T extends object>(few: T | readonly T[]): few is readonly T[] {
  return Array.isArray(few);
}
