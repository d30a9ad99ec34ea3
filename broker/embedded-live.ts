import type { Signal } from "../gen/baccarat/v1/event_pb.ts";
import { directUsers, type RoomId } from "../services/ids.ts";
import type { Logger } from "../services/log.ts";
import type { RoomListener, StoredEvent, Unsubscribe } from "./broker.ts";

/** Hears events. */
export type EventListener = (stored: StoredEvent) => void;

/** Who hears what within this process. Events are handed on as they were published, nothing is decoded. */
export class LiveFeed {
  readonly #log: Logger;
  readonly #rooms = new Map<RoomId, Set<RoomListener>>();
  readonly #direct = new Set<EventListener>();
  readonly #all = new Set<EventListener>();

  constructor(options: { log: Logger }) {
    this.#log = options.log;
  }

  /** Hears one room. */
  addRoom(room: RoomId, listener: RoomListener): Unsubscribe {
    const listeners = this.#rooms.get(room) ?? new Set();
    this.#rooms.set(room, listeners.add(listener));
    return () => {
      if (listeners.delete(listener) && listeners.size === 0) this.#rooms.delete(room);
    };
  }

  /** Hears every direct conversation. */
  addDirect(listener: EventListener): Unsubscribe {
    this.#direct.add(listener);
    return () => this.#direct.delete(listener);
  }

  /** Hears everything. */
  addAll(listener: EventListener): Unsubscribe {
    this.#all.add(listener);
    return () => this.#all.delete(listener);
  }

  deliver(stored: StoredEvent): void {
    for (const listener of this.#rooms.get(stored.room) ?? []) this.call(() => listener.onEvent(stored));
    if (this.#direct.size > 0 && directUsers(stored.room)) {
      for (const listener of this.#direct) this.call(() => listener(stored));
    }
    for (const listener of this.#all) this.call(() => listener(stored));
  }

  deliverSignal(room: RoomId, signal: Signal): void {
    for (const listener of this.#rooms.get(room) ?? []) this.call(() => listener.onSignal(signal));
  }

  /** Calls a listener, which must not throw; when it does, the others shall not suffer. */
  call(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.#log.error({ err: error }, "a listener of the broker threw");
    }
  }
}
