import type { ControlEntry, ControlListener, RoomListener, StoredEvent } from "../../broker/broker.ts";
import type { Signal } from "../../gen/baccarat/v1/event_pb.ts";
import { eventually } from "../support/eventually.ts";
import { textsOf } from "./events.ts";

/** Writes down what a room's subscriber, a direct subscriber or a tail hears. */
export class Recorder implements RoomListener {
  readonly events: StoredEvent[] = [];
  readonly signals: Signal[] = [];

  onEvent(stored: StoredEvent): void {
    this.events.push(stored);
  }

  onSignal(signal: Signal): void {
    this.signals.push(signal);
  }

  /** For subscribeDirect and tail. */
  readonly hear = (stored: StoredEvent): void => this.onEvent(stored);

  /** Waits until this many events were heard, and returns their texts. */
  async texts(count: number): Promise<string[]> {
    await this.#wait(`${count} live events`, () => this.events.length >= count);
    return textsOf(this.events);
  }

  /** Waits until this event was heard. */
  async seq(seq: number): Promise<void> {
    await this.#wait(`event ${seq}`, () => this.events.some((stored) => stored.seq === seq));
  }

  /** Waits until this many signals were heard. */
  async signalCount(count: number): Promise<void> {
    await this.#wait(`${count} signals`, () => this.signals.length >= count);
  }

  async #wait(what: string, probe: () => boolean): Promise<void> {
    await eventually(what, probe, { state: () => ({ heard: textsOf(this.events), signals: this.signals.length }) });
  }
}

/** Writes down what a watch of the control log hears, and folds it as RoomService does. */
export class ControlRecorder implements ControlListener {
  readonly entries: ControlEntry[] = [];
  /** Last value of each key, as text. */
  readonly state = new Map<string, string>();
  /** How many entries had been heard when the watch was caught up; undefined before that. */
  caughtUpAfter: number | undefined;

  onEntry(entry: ControlEntry): void {
    this.entries.push(entry);
    if (entry.value === undefined) this.state.delete(entry.key);
    else this.state.set(entry.key, new TextDecoder().decode(entry.value));
  }

  onCaughtUp(): void {
    this.caughtUpAfter ??= this.entries.length;
  }

  onInterrupted(): void {
    this.caughtUpAfter = undefined;
  }

  /** Waits until the watch is caught up. */
  async caughtUp(): Promise<void> {
    await eventually("the watch to be caught up", () => this.caughtUpAfter !== undefined);
  }

  /** Waits until the change with this revision was heard. */
  async revision(revision: number): Promise<void> {
    const heard = (): boolean => this.entries.some((entry) => entry.revision >= revision);
    await eventually(`revision ${revision} of the control log`, heard, { state: () => this.entries.slice(-5) });
  }
}
