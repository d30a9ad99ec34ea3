/**
 * Does `task` for every item, at most `limit` at a time.
 * @throws the first failure, after all tasks under way have settled; items not begun by then are left out.
 */
export async function eachBounded<T>(
  items: Iterable<T>,
  limit: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  const all = [...items];
  const rest = all.values();
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    for (const item of rest) {
      try {
        await task(item);
      } catch (error) {
        failures.push(error);
      }
      if (failures.length > 0) return;
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, all.length) }, work));
  if (failures.length > 0) throw failures[0];
}
