/** Something with bytes to write: a room, or one connection's replies. */
export interface Flushable {
  /** Makes at most about `budget` socket writes; returns how many it made and whether it is done. */
  flush(budget: number): Flushed;
}

/** A room with frames to write. */
export interface FlushableRoom extends Flushable {
  /** How long it pays to put writing off, in milliseconds; below 1 it does not. */
  readonly holdMs: number;
}

/** What a flush did. */
export interface Flushed {
  readonly writes: number;
  readonly done: boolean;
}

/** Something to be done once all of a turn's writes are made. */
export interface AfterTurn {
  afterTurn(): void;
}

/** Writes of one turn of the event loop, at 5–10 µs each: more would keep other connections waiting. */
const WRITES_PER_TURN = 1_000;

/**
 * Collects what is to be written and writes it once per turn of the event loop, so that all frames of a room that came
 * in the same turn leave as one buffer per connection: the kernel's write is what fan-out costs.
 */
export class FanOut {
  /** Rooms whose first frame came in this turn. */
  readonly #fresh = new Set<FlushableRoom>();
  readonly #held = new Map<FlushableRoom, NodeJS.Timeout>();
  // Sets keep the order of insertion, and what is not done goes to the end: a huge room keeps nobody waiting for long.
  readonly #rooms = new Set<Flushable>();
  readonly #outboxes = new Set<Flushable>();
  readonly #afterTurn = new Set<AfterTurn>();
  #scheduled: NodeJS.Immediate | undefined;
  #gathering = false;

  /** True while several rooms are written: a connection in many of them had better be given what they say in one write. */
  get gathering(): boolean {
    return this.#gathering;
  }

  /** A room has frames to write, which had none before. */
  room(room: FlushableRoom): void {
    this.#fresh.add(room);
    this.#schedule();
  }

  /** What a held room waited for has come. Of no effect for others. */
  release(room: FlushableRoom): void {
    const timer = this.#held.get(room);
    if (timer === undefined) return;
    clearTimeout(timer);
    this.#held.delete(room);
    this.#rooms.add(room);
    this.#schedule();
  }

  /** A connection has replies to write. */
  outbox(outbox: Flushable): void {
    this.#outboxes.add(outbox);
    this.#schedule();
  }

  /** Calls back once the writes under way are made; at once when there are none, in the next turn. */
  after(task: AfterTurn): void {
    this.#afterTurn.add(task);
    this.#schedule();
  }

  /** Forgets what is left. */
  close(): void {
    clearImmediate(this.#scheduled);
    for (const timer of this.#held.values()) clearTimeout(timer);
    this.#held.clear();
    this.#fresh.clear();
    this.#rooms.clear();
    this.#outboxes.clear();
    this.#afterTurn.clear();
  }

  #schedule(): void {
    this.#scheduled ??= setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#scheduled = undefined;
    this.#sift();
    this.#gathering = this.#rooms.size > 1;
    const left = flushAll(this.#rooms, WRITES_PER_TURN);
    // Replies go out even when rooms used up the turn: a connection's reply costs no more than the frame it answers.
    flushAll(this.#outboxes, Math.max(left, WRITES_PER_TURN / 2));
    this.#gathering = false;
    const tasks = [...this.#afterTurn];
    this.#afterTurn.clear();
    for (const task of tasks) task.afterTurn();
    if (this.#rooms.size + this.#outboxes.size + this.#afterTurn.size > 0) this.#schedule();
  }

  /** Asked only now, at the end of the turn, when a room knows what else is on its way. */
  #sift(): void {
    for (const room of this.#fresh) {
      const ms = room.holdMs;
      if (ms < 1) this.#rooms.add(room);
      else
        this.#held.set(
          room,
          setTimeout(() => this.release(room), ms),
        );
    }
    this.#fresh.clear();
  }
}

function flushAll(items: Set<Flushable>, budget: number): number {
  let left = budget;
  for (const item of items) {
    if (left <= 0) break;
    items.delete(item);
    const { writes, done } = item.flush(left);
    left -= writes;
    if (!done) items.add(item);
  }
  return left;
}
