import type { Broker, ControlListener, ControlStore } from "../../../../broker/broker.ts";
import { RoomError } from "../../../../services/errors.ts";

/** A real broker between which and its user faults can be put. */
export class FlakyBroker {
  /** The broker as the user sees it. */
  readonly broker: Broker;
  /** How many reads of history were made. */
  reads = 0;
  readonly #faults: ((operation: string, key: string) => "lost" | "unanswered" | undefined)[] = [];
  #watcher: ControlListener | undefined;
  #held = false;

  constructor(real: Broker) {
    const control = this.#flaky(real.control);
    this.broker = new Proxy(real, {
      get: (target, property) => {
        if (property === "control") return control;
        if (property === "losesLive") return true;
        if (property === "history") this.reads++;
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  /** The user's watch of the control log. */
  get watcher(): ControlListener {
    if (this.#watcher === undefined) throw new Error("nobody watches");
    return this.#watcher;
  }

  /** From now on the watch says nothing more. */
  holdWatch(): void {
    this.#held = true;
  }

  /** Makes writes fail as unavailable: `lost` before they are stored, `unanswered` after. Returns how to end it. */
  fail(fault: (operation: string, key: string) => "lost" | "unanswered" | undefined): () => void {
    this.#faults.push(fault);
    return () => void this.#faults.splice(this.#faults.indexOf(fault), 1);
  }

  #flaky(real: ControlStore): ControlStore {
    const write = async <T>(operation: string, key: string, act: () => Promise<T>): Promise<T> => {
      const fault = this.#faults.map((decide) => decide(operation, key)).find((found) => found !== undefined);
      if (fault === "lost") throw new RoomError("unavailable", "a fault of the test");
      const result = await act();
      if (fault === "unanswered") throw new RoomError("unavailable", "a fault of the test");
      return result;
    };
    return {
      put: (key, value) => write("put", key, () => real.put(key, value)),
      create: (key, value) => write("create", key, () => real.create(key, value)),
      delete: (key, reason) => write("delete", key, () => real.delete(key, reason)),
      get: (key) => real.get(key),
      watch: (listener) => {
        this.#watcher = listener;
        return real.watch({
          onEntry: (entry) => this.#held || listener.onEntry(entry),
          onCaughtUp: () => listener.onCaughtUp(),
          onInterrupted: () => listener.onInterrupted(),
        });
      },
    };
  }
}
