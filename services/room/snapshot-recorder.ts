import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Broker } from "../../broker/broker.ts";
import {
  type SnapshotCheckpoint,
  SnapshotCheckpointSchema,
  SnapshotRecordSchema,
} from "../../gen/baccarat/v1/control_pb.ts";
import { controlKeys } from "../control-keys.ts";
import { RoomError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { eachBounded } from "./each-bounded.ts";
import type { SnapshotEntry, SnapshotState } from "./snapshot-state.ts";
import { toEvent } from "./stored-events.ts";

/** How often what is due is written, in milliseconds: a key that changes more often is written once in that time. */
const WRITE_MS = 1_000;
/** How long a write may take to come back in the fold before it is made again, in milliseconds. */
const RETRY_MS = 3_000;
/** How often the checkpoint is moved on, in milliseconds; it stays behind by at least as much. */
const CHECKPOINT_MS = 10_000;
const WRITES = 16;
/** How much of the log is read when it is another one than the checkpoint is of: a restored backup, for example. */
const LOOK_BACK = 2_000_000;

/**
 * Writes into the control log what the log will drop one day: the latest event of every snapshot key. Publishing does
 * not wait for it, since until the checkpoint has passed an event, whoever starts reads it in the log. The checkpoint
 * stays behind what is recorded, because a slow replica's older write may land after a newer one: others hear it, and put
 * it right, long before the checkpoint says that nobody needs to look.
 */
export class SnapshotRecorder {
  readonly #broker: Broker;
  readonly #state: SnapshotState;
  readonly #log: Logger;
  readonly #position: () => number;
  readonly #timers: NodeJS.Timeout[] = [];
  #round: Promise<void> = Promise.resolve();
  #busy = false;
  /** Everything up to here was recorded when it was last looked. */
  #before = 0;
  #checkpoint = 0;

  /** @param options.position everything up to here was heard of the log. */
  constructor(options: { broker: Broker; state: SnapshotState; log: Logger; position: () => number }) {
    this.#broker = options.broker;
    this.#state = options.state;
    this.#log = options.log;
    this.#position = options.position;
  }

  /** After which position the log has to be read at start. @throws RoomError unavailable. */
  async readFrom(): Promise<number> {
    const end = await this.#broker.logEnd();
    // As long as there is no checkpoint, nobody ever published under a key.
    if ((await this.#stored()) === undefined && (await this.#createCheckpoint(end))) return end;
    const position = (await this.#stored())?.position;
    if (position?.epoch === this.#broker.epoch) return Number(position.seq);
    return Math.max(0, end - LOOK_BACK);
  }

  /** Begins to write. */
  start(): void {
    this.#timers.push(
      setInterval(() => void this.#write(performance.now()), WRITE_MS),
      setInterval(() => void this.#run("checkpoint", () => this.#moveCheckpoint()), CHECKPOINT_MS),
    );
  }

  /** Stops writing, once what is under way is settled. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#round;
  }

  /** Writes everything that is not recorded, due or not. Never rejects: what could not be written is due again later. */
  async flush(): Promise<void> {
    await this.#round;
    await this.#write(Number.POSITIVE_INFINITY);
  }

  #write(until: number): Promise<void> {
    if (this.#busy) return this.#round;
    this.#busy = true;
    this.#round = this.#run("record", () => this.#writeDue(until)).finally(() => {
      this.#busy = false;
    });
    return this.#round;
  }

  async #writeDue(until: number): Promise<void> {
    const now = performance.now();
    this.#state.forget(now);
    const due = this.#state.due(until);
    for (const entry of due) this.#state.writing(entry, now + RETRY_MS);
    await eachBounded(due, WRITES, (entry) => this.#put(entry));
  }

  async #put({ room, key, latest }: SnapshotEntry): Promise<void> {
    const name = controlKeys.snapshot(room, key);
    if (latest === undefined) {
      await this.#broker.control.delete(name);
      return;
    }
    const record = create(SnapshotRecordSchema, { event: toEvent(latest), epoch: this.#broker.epoch });
    await this.#broker.control.put(name, toBinary(SnapshotRecordSchema, record));
  }

  async #moveCheckpoint(): Promise<void> {
    const recorded = this.#state.recordedUpTo(this.#position());
    const both = Math.min(recorded, this.#before);
    this.#before = recorded;
    if (both <= this.#checkpoint) return;
    await this.#broker.control.put(controlKeys.snapshotCheckpoint, this.#encoded(both));
    this.#checkpoint = both;
  }

  async #createCheckpoint(seq: number): Promise<boolean> {
    return (await this.#broker.control.create(controlKeys.snapshotCheckpoint, this.#encoded(seq))) !== undefined;
  }

  #encoded(seq: number): Uint8Array {
    const position = { epoch: this.#broker.epoch, seq: BigInt(seq) };
    return toBinary(SnapshotCheckpointSchema, create(SnapshotCheckpointSchema, { position }));
  }

  async #stored(): Promise<SnapshotCheckpoint | undefined> {
    const value = (await this.#broker.control.get(controlKeys.snapshotCheckpoint))?.value;
    return value === undefined ? undefined : fromBinary(SnapshotCheckpointSchema, value);
  }

  async #run(what: string, task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      const unavailable = error instanceof RoomError && error.reason === "unavailable";
      this.#log[unavailable ? "warn" : "error"]({ err: error, what }, "snapshots could not be recorded");
    }
  }
}
