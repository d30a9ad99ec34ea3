import { afterEach, beforeEach } from "vitest";
import type { Broker } from "../../broker/broker.ts";
import type { Retention } from "../../broker/retention.ts";

/**
 * An engine under test. The suite opens storage afresh for every test, so creating it should be cheap: a directory, or
 * a name of its own on servers that are shared by all tests.
 */
export interface Engine {
  /** As test reports show it. */
  readonly name: string;
  /** True when several brokers can use one storage at the same time, as several processes do. */
  readonly shared: boolean;
  /** The shortest maxAgeMs that can be asked of it: tests wait that long. */
  readonly shortAgeMs: number;
  /** Makes empty storage. */
  createStorage(): Promise<Storage>;
}

/** Where brokers store. */
export interface Storage {
  /** Opens a broker on it; also again after that one was closed, and a second one meanwhile when the engine is `shared`. */
  open(retention: Retention): Promise<Broker>;
  /** Removes it. Its brokers have been closed. */
  dispose(): Promise<void>;
}

/** Limits that no test reaches unless it says so. */
export const GENEROUS: Retention = { maxMessages: 100_000, maxAgeMs: 3_600_000, maxBytes: 1024 ** 3 };

/** Storage of one test, made before it and removed after it. */
export interface StorageOfTest {
  /** Opens a broker that is closed after the test, if not before. Default: generous limits. */
  open(limits?: Partial<Retention>): Promise<Broker>;
}

/** Gives every test of the enclosing describe storage of its own. */
export function useStorage(engine: Engine): StorageOfTest {
  let storage: Storage | undefined;
  const brokers: Broker[] = [];
  beforeEach(async () => {
    storage = await engine.createStorage();
  });
  afterEach(async () => {
    await Promise.all(brokers.splice(0).map((broker) => broker.close()));
    await storage?.dispose();
    storage = undefined;
  });
  return {
    open: async (limits = {}) => {
      if (!storage) throw new Error("storage is used outside of a test");
      const broker = await storage.open({ ...GENEROUS, ...limits });
      brokers.push(broker);
      return broker;
    },
  };
}
