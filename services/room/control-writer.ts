import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { toBinary } from "@bufbuild/protobuf";
import type { ControlStore } from "../../broker/broker.ts";
import { controlKeys } from "../control-keys.ts";
import type { ControlFold } from "./control-fold.ts";

/**
 * Writes the control log. Every method resolves once the write was stored and came back in this replica's fold, so that
 * whoever waited for it sees it. All throw RoomError `unavailable`, which leaves open whether the write was stored. What is
 * written becomes part of the fold, so nobody may change it afterwards.
 */
export class ControlWriter {
  readonly #control: ControlStore;
  readonly #fold: ControlFold;

  constructor(options: { control: ControlStore; fold: ControlFold }) {
    this.#control = options.control;
    this.#fold = options.fold;
  }

  async put<S extends DescMessage>(key: string, schema: S, value: MessageShape<S>): Promise<void> {
    await this.#fold.reached(await this.#control.put(key, this.#encode(schema, value)));
  }

  /** False when the key exists. */
  async create<S extends DescMessage>(key: string, schema: S, value: MessageShape<S>): Promise<boolean> {
    const revision = await this.#control.create(key, this.#encode(schema, value));
    if (revision === undefined) return false;
    await this.#fold.reached(revision);
    return true;
  }

  /** Every replica that follows the log hears the reason with the deletion. */
  async delete(key: string, reason?: string): Promise<void> {
    await this.#fold.reached(await this.#control.delete(key, reason));
  }

  /**
   * Makes the caller the holder of an edge's attachment. Afterwards the fold holds everything that anyone's write had
   * stored before the call.
   * @returns the place of this in the log: whoever has a later one holds it.
   */
  async claimAttachment(incarnation: string): Promise<number> {
    const revision = await this.#control.put(controlKeys.attachment(incarnation), CLAIMED);
    await this.#fold.reached(revision);
    return revision;
  }

  #encode<S extends DescMessage>(schema: S, value: MessageShape<S>): Uint8Array {
    const bytes = toBinary(schema, value);
    this.#fold.expect(bytes, value);
    return bytes;
  }
}

/** Not empty, so that no engine takes it for a deletion. */
const CLAIMED = Uint8Array.of(1);
