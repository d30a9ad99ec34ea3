import { parentPort, workerData } from "node:worker_threads";
import { textOf, toOpenError } from "./embedded-database.ts";
import { packAnswers, packOutcomes, unpackChanges, unpackWrites } from "./embedded-packing.ts";
import type {
  Answer,
  FromStorage,
  Outcome,
  Read,
  ReadAnswer,
  Request,
  StorageOptions,
  ToStorage,
  Written,
} from "./embedded-protocol.ts";
import { Storage } from "./embedded-storage.ts";

/** How often what became old is looked for, and how often a failing storage is tried again, in milliseconds. */
const TICK_MS = 1_000;
const NOTHING_WRITTEN: Written = { events: undefined, control: undefined };

/**
 * Entry of the storage thread. SQLite blocks whoever calls it, for tens of milliseconds when it moves its write-ahead log
 * into the database: sockets must not wait for that.
 */
const port = parentPort;
if (port === null) throw new Error("embedded-worker.ts runs as a worker thread");
const send = (message: FromStorage): void => port.postMessage(message);

const storage = open();
if (storage) serve(storage);

function open(): Storage | undefined {
  const options = workerData as StorageOptions;
  try {
    return new Storage(options);
  } catch (error) {
    const { problem, message } = toOpenError(error, options.dataDir);
    send({ kind: "refused", problem, message });
    return undefined;
  }
}

function serve(storage: Storage): void {
  let failing = false;
  /**
   * The last series a transaction of which failed. Publishes of one lane are stored in order, or fail from one on: what the
   * main thread sent before it heard of a failure fails as well.
   */
  let failedSeries = 0;

  const write = ({ series, events, control }: Request): Outcome<Written> => {
    if (events === undefined && control === undefined) return { ok: true, value: NOTHING_WRITTEN };
    if (series <= failedSeries) return { ok: false, reason: "an earlier write failed" };
    const written = attempt((): Written => {
      const done = storage.write(unpackWrites(events), unpackChanges(control));
      return { events: packAnswers(done.events), control: packOutcomes(done.control) };
    });
    if (!written.ok) {
      failedSeries = series;
      failing = true;
    }
    return written;
  };

  const read = (ask: Read): Outcome<ReadAnswer> => attempt(() => storage.read(ask));

  const answer = (request: Request): Answer => ({
    kind: "answer",
    written: write(request),
    reads: request.reads?.map(read),
  });

  const trim = (): void => {
    const more = attempt(() => storage.trim());
    if (!more.ok) {
      failing = true;
      send({ kind: "ailing", reason: more.reason });
    } else if (more.value) setImmediate(trim);
  };

  const tick = (): void => {
    if (!failing) {
      trim();
      return;
    }
    failing = !attempt(() => storage.probe()).ok;
    if (!failing) send({ kind: "recovered" });
  };

  let backingUp: Promise<void> = Promise.resolve();
  const backUp = async (path: string): Promise<void> => {
    try {
      await storage.backUp(path);
      send({ kind: "backed_up", outcome: { ok: true, value: undefined } });
    } catch (error) {
      send({ kind: "backed_up", outcome: { ok: false, reason: textOf(error) } });
    }
  };

  const timer = setInterval(tick, TICK_MS);
  port?.on("message", (message: ToStorage) => {
    if (message.kind === "request") {
      send(answer(message));
      return;
    }
    if (message.kind === "backup") {
      backingUp = backUp(message.path);
      return;
    }
    clearInterval(timer);
    void backingUp.then(() => {
      storage.close();
      port.close();
    });
  });
  send({ kind: "opened", epoch: storage.epoch });
}

function attempt<T>(work: () => T): Outcome<T> {
  try {
    return { ok: true, value: work() };
  } catch (error) {
    return { ok: false, reason: textOf(error) };
  }
}
