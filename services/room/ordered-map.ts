/** Entries of one chunk before it is split in two: an insertion moves at most this many references. */
const CHUNK = 512;

/** Keys in their order. */
type Chunk = string[];

/**
 * A map in the order of its keys (code units). Insertion and removal cost a binary search and the move of half a chunk,
 * so that a page of a room of 100,000 members needs no sorting, whatever happens in between.
 */
export class OrderedMap<V> {
  readonly #index = new Map<string, V>();
  #chunks: Chunk[] = [];

  get size(): number {
    return this.#index.size;
  }

  get(key: string): V | undefined {
    return this.#index.get(key);
  }

  has(key: string): boolean {
    return this.#index.has(key);
  }

  /** All values, in the order in which their keys were first set. */
  values(): Iterable<V> {
    return this.#index.values();
  }

  set(key: string, value: V): void {
    const known = this.#index.has(key);
    this.#index.set(key, value);
    if (known) return;
    const chunk = this.#chunks[this.#chunkOf(key)];
    if (chunk === undefined) {
      // There is none yet. A list that is pushed to reserves space for sixteen more, and every room has such maps.
      this.#chunks = [[key]];
      return;
    }
    chunk.splice(lowerBound(chunk, key), 0, key);
    if (chunk.length > CHUNK) this.#split(chunk);
  }

  delete(key: string): boolean {
    if (!this.#index.delete(key)) return false;
    const number = this.#chunkOf(key);
    const chunk = this.#chunks[number];
    if (chunk === undefined) return true;
    chunk.splice(lowerBound(chunk, key), 1);
    if (chunk.length === 0) this.#chunks.splice(number, 1);
    return true;
  }

  /** Walks keys and values in order from the first key that is at least `from`. Not to be used across changes. */
  *from(from: string): Generator<readonly [key: string, value: V]> {
    let number = this.#chunkOf(from);
    let at = lowerBound(this.#chunks[number] ?? [], from);
    for (let chunk = this.#chunks[number]; chunk !== undefined; chunk = this.#chunks[++number]) {
      for (; at < chunk.length; at++) {
        const key = chunk[at] as string;
        yield [key, this.#index.get(key) as V];
      }
      at = 0;
    }
  }

  /** The chunk that holds the key, or where it belongs: the last one whose first key is not greater, else the first. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#chunks[middle]?.[0] ?? "") <= key) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  #split(chunk: Chunk): void {
    const upper = chunk.splice(chunk.length >>> 1);
    this.#chunks.splice(this.#chunks.indexOf(chunk) + 1, 0, upper);
  }
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? "") < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
