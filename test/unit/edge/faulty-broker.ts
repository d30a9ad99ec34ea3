import type {
  Broker,
  BrokerHealth,
  ControlStore,
  HistoryPage,
  HistoryRange,
  Published,
  PublishOptions,
  RoomListener,
  RoomPosition,
  StoredEvent,
  Unsubscribe,
} from "../../../broker/broker.ts";
import type { Event, Signal } from "../../../gen/baccarat/v1/event_pb.ts";
import { RoomError } from "../../../services/errors.ts";
import type { RoomId } from "../../../services/ids.ts";

/** A real broker whose live delivery and reads fail as a network makes them fail. What it stores is stored. */
export class FaultyBroker implements Broker {
  readonly losesLive = true;
  /** Live events for which it is true never arrive. */
  isLost: (stored: StoredEvent) => boolean = () => false;
  /** The log has dropped whatever anybody asks for while true. */
  isForgetful = false;
  /** Reads fail while true. */
  readsFail = false;
  /** Publishes fail while true; what came of them is unknown. */
  publishesFail = false;
  readonly #broker: Broker;
  readonly #healthListeners = new Set<(health: BrokerHealth) => void>();
  #health: BrokerHealth = { ok: true };
  /** Subscriptions now, by room. */
  readonly subscriptions = new Map<string, number>();
  /** Pages read so far, by room. */
  readonly reads = new Map<string, number>();

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  get epoch(): string {
    return this.#broker.epoch;
  }

  get control(): ControlStore {
    return this.#broker.control;
  }

  setHealth(health: BrokerHealth): void {
    this.#health = health;
    for (const listener of this.#healthListeners) listener(health);
  }

  health(): BrokerHealth {
    return this.#health;
  }

  onHealth(listener: (health: BrokerHealth) => void): Unsubscribe {
    this.#healthListeners.add(listener);
    return () => this.#healthListeners.delete(listener);
  }

  async publish(room: RoomId, event: Event, options?: PublishOptions): Promise<Published> {
    const published = await this.#broker.publish(room, event, options);
    if (this.publishesFail) throw new RoomError("unavailable", "the broker did not answer");
    return published;
  }

  async subscribe(room: RoomId, listener: RoomListener): Promise<Unsubscribe> {
    const unsubscribe = await this.#broker.subscribe(room, {
      onEvent: (stored) => {
        if (!this.isLost(stored)) listener.onEvent(stored);
      },
      onSignal: (signal) => listener.onSignal(signal),
    });
    this.#count(room, 1);
    return () => {
      this.#count(room, -1);
      unsubscribe();
    };
  }

  subscribeDirect(listener: (stored: StoredEvent) => void): Promise<Unsubscribe> {
    return this.#broker.subscribeDirect((stored) => {
      if (!this.isLost(stored)) listener(stored);
    });
  }

  tail(after: number, listener: (stored: StoredEvent) => void, onCaughtUp?: () => void): Promise<Unsubscribe> {
    return this.#broker.tail(after, listener, onCaughtUp);
  }

  signal(room: RoomId, signal: Signal): void {
    this.#broker.signal(room, signal);
  }

  async history(room: RoomId, range: HistoryRange): Promise<HistoryPage> {
    this.#checkReads();
    this.reads.set(room, (this.reads.get(room) ?? 0) + 1);
    const page = await this.#broker.history(room, range);
    return this.isForgetful ? { ...page, floor: Number.MAX_SAFE_INTEGER } : page;
  }

  async position(room: RoomId): Promise<RoomPosition> {
    this.#checkReads();
    return await this.#broker.position(room);
  }

  async roomEnd(room: RoomId): Promise<number> {
    this.#checkReads();
    return await this.#broker.roomEnd(room);
  }

  logEnd(): Promise<number> {
    return this.#broker.logEnd();
  }

  logStart(): Promise<number> {
    return this.#broker.logStart();
  }

  storedAt(seq: number): Promise<number | undefined> {
    return this.#broker.storedAt(seq);
  }

  close(): Promise<void> {
    return Promise.resolve(); // the real one is somebody else's
  }

  #checkReads(): void {
    if (this.readsFail) throw new RoomError("unavailable", "the broker did not answer");
  }

  #count(room: RoomId, change: number): void {
    this.subscriptions.set(room, (this.subscriptions.get(room) ?? 0) + change);
  }
}
