/**
 * Does `task` for every item, at most `limit` at a time.
 * @throws the first failure, after all tasks under way have settled; items not begun by then are left out.
 */
export async function eachBounded<T>(
  items: Iterable<T>,
  limit: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    for (let step = iterator.next(); !step.done && failures.length === 0; step = iterator.next()) {
      try {
        await task(step.value);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, work));
  if (failures.length > 0) throw failures[0];
}
