/** Entries of one chunk before it is split in two: an insertion moves at most this many references. */
const CHUNK = 512;

interface Chunk<V> {
  readonly keys: string[];
  readonly values: V[];
}

/**
 * A map in the order of its keys (code units). Insertion and removal cost a binary search and the move of half a chunk,
 * so that a page of a room of 100,000 members needs no sorting, whatever happens in between.
 */
export class OrderedMap<V> {
  readonly #index = new Map<string, V>();
  readonly #chunks: Chunk<V>[] = [];

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
    const chunk = this.#chunks[this.#chunkOf(key)];
    if (chunk === undefined) {
      this.#chunks.push({ keys: [key], values: [value] });
      return;
    }
    const at = lowerBound(chunk.keys, key);
    if (known) {
      chunk.values[at] = value;
      return;
    }
    chunk.keys.splice(at, 0, key);
    chunk.values.splice(at, 0, value);
    if (chunk.keys.length > CHUNK) this.#split(chunk);
  }

  delete(key: string): boolean {
    if (!this.#index.delete(key)) return false;
    const number = this.#chunkOf(key);
    const chunk = this.#chunks[number];
    if (chunk === undefined) return true;
    const at = lowerBound(chunk.keys, key);
    chunk.keys.splice(at, 1);
    chunk.values.splice(at, 1);
    if (chunk.keys.length === 0) this.#chunks.splice(number, 1);
    return true;
  }

  /** Walks keys and values in order from the first key that is at least `from`. Not to be used across changes. */
  *from(from: string): Generator<readonly [key: string, value: V]> {
    let number = this.#chunkOf(from);
    let at = lowerBound(this.#chunks[number]?.keys ?? [], from);
    for (let chunk = this.#chunks[number]; chunk !== undefined; chunk = this.#chunks[++number]) {
      for (; at < chunk.keys.length; at++) yield [chunk.keys[at] as string, chunk.values[at] as V];
      at = 0;
    }
  }

  /** The chunk that holds the key, or where it belongs: the last one whose first key is not greater, else the first. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#chunks[middle]?.keys[0] ?? "") <= key) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  #split(chunk: Chunk<V>): void {
    const half = chunk.keys.length >>> 1;
    const upper = { keys: chunk.keys.splice(half), values: chunk.values.splice(half) };
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
