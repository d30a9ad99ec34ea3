import type { Signal } from "../gen/baccarat/v1/event_pb.ts";
import { excluding, type Few, including, listOf } from "../services/few.ts";
import { directUsers, type RoomId } from "../services/ids.ts";
import type { Logger } from "../services/log.ts";
import type { RoomListener, StoredEvent, Unsubscribe } from "./broker.ts";

/** Hears events. */
export type EventListener = (stored: StoredEvent) => void;

/** Who hears what within this process. Events are handed on as they were published, nothing is decoded. */
export class LiveFeed {
  readonly #log: Logger;
  readonly #rooms = new Map<RoomId, Few<RoomListener>>();
  readonly #direct = new Set<EventListener>();
  readonly #all = new Set<EventListener>();

  constructor(options: { log: Logger }) {
    this.#log = options.log;
  }

  /** Hears one room. */
  addRoom(room: RoomId, listener: RoomListener): Unsubscribe {
    this.#rooms.set(room, including(this.#rooms.get(room), listener));
    return () => {
      const left = excluding(this.#rooms.get(room), listener);
      if (left === undefined) this.#rooms.delete(room);
      else this.#rooms.set(room, left);
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
    this.#callRoom(stored.room, (listener) => listener.onEvent(stored));
    if (this.#direct.size > 0 && directUsers(stored.room)) {
      for (const listener of this.#direct) this.call(() => listener(stored));
    }
    for (const listener of this.#all) this.call(() => listener(stored));
  }

  deliverSignal(room: RoomId, signal: Signal): void {
    this.#callRoom(room, (listener) => listener.onSignal(signal));
  }

  #callRoom(room: RoomId, act: (listener: RoomListener) => void): void {
    for (const [index, listener] of listOf(this.#rooms.get(room)).entries()) {
      // One before it may have ended it.
      if (index === 0 || listOf(this.#rooms.get(room)).includes(listener)) this.call(() => act(listener));
    }
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
