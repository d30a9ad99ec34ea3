import type { ControlEntry, ControlListener, ControlStore, Unsubscribe } from "./broker.ts";
import type { LiveFeed } from "./embedded-live.ts";
import type { ControlAnswer, ControlWrite } from "./embedded-protocol.ts";
import type { StorageThread } from "./embedded-thread.ts";

/** The control log of the embedded engine. */
export class EmbeddedControl implements ControlStore {
  readonly #thread: StorageThread;
  readonly #live: LiveFeed;
  readonly #watchers = new Set<ControlListener>();

  constructor(options: { thread: StorageThread; live: LiveFeed }) {
    this.#thread = options.thread;
    this.#live = options.live;
    void this.#thread.stopped.then(() => this.#interrupt());
  }

  put(key: string, value: Uint8Array): Promise<number> {
    return this.#change({ op: "put", key, value }, ({ revision }) => revision);
  }

  create(key: string, value: Uint8Array): Promise<number | undefined> {
    return this.#change({ op: "create", key, value }, ({ applied, revision }) => (applied ? revision : undefined));
  }

  delete(key: string, reason?: string): Promise<number> {
    return this.#change({ op: "delete", key }, ({ revision }) => revision, reason || undefined);
  }

  get(key: string): Promise<ControlEntry | undefined> {
    return this.#thread.ask({ kind: "entry", key });
  }

  /** The snapshot comes as one answer: all of it fits in memory, since whoever watches keeps it there. */
  watch(listener: ControlListener): Promise<Unsubscribe> {
    return new Promise((resolve, reject) => {
      const done = (entries: readonly ControlEntry[]): void => {
        for (const entry of entries) this.#live.call(() => listener.onEntry(entry));
        this.#watchers.add(listener);
        this.#live.call(() => listener.onCaughtUp());
        resolve(() => this.#watchers.delete(listener));
      };
      this.#thread.read({ kind: "entries" }, { done, fail: reject });
    });
  }

  #change<T>(write: ControlWrite, result: (answer: ControlAnswer) => T, reason?: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const done = (answer: ControlAnswer): void => {
        resolve(result(answer));
        if (answer.applied) this.#announce(write, answer.revision, reason);
      };
      this.#thread.writeControl(write, { done, fail: reject });
    });
  }

  #interrupt(): void {
    for (const watcher of this.#watchers) this.#live.call(() => watcher.onInterrupted());
  }

  #announce(write: ControlWrite, revision: number, reason: string | undefined): void {
    const value = write.op === "delete" ? undefined : write.value;
    const entry = { key: write.key, revision, value, reason };
    for (const watcher of this.#watchers) this.#live.call(() => watcher.onEntry(entry));
  }
}
