/**
 * Delays for so many clients, in milliseconds from 0 to `withinMs`: each has a slot of its own and a random place in it,
 * so that they come back evenly and not all at once.
 */
export function spread(count: number, withinMs: number, random: () => number = Math.random): number[] {
  return Array.from({ length: count }, (_, index) => Math.floor(((index + random()) / count) * withinMs));
}
