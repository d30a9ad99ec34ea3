import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ControlStore } from "../../broker/broker.ts";
import type { Profile } from "../../gen/baccarat/v1/client_pb.ts";
import { UserRecordSchema } from "../../gen/baccarat/v1/control_pb.ts";
import { controlKeys } from "../control-keys.ts";
import type { Uid } from "../ids.ts";
import type { ControlFold } from "./control-fold.ts";
import type { ControlWriter } from "./control-writer.ts";

/** How long a user who is being registered elsewhere is waited for, in milliseconds. */
const APPEAR_MS = 3_000;

/** Who has ever existed: what a direct message's recipient is checked against. */
export class Users {
  readonly #control: ControlStore;
  readonly #fold: ControlFold;
  readonly #writer: ControlWriter;
  readonly #now: () => number;
  readonly #expected = new Map<Uid, Set<() => void>>();

  constructor(options: { control: ControlStore; fold: ControlFold; writer: ControlWriter; now: () => number }) {
    this.#control = options.control;
    this.#fold = options.fold;
    this.#writer = options.writer;
    this.#now = options.now;
    options.fold.onChange((change) => {
      if (change.kind === "user") for (const appeared of this.#expected.get(change.uid) ?? []) appeared();
    });
  }

  /** Remembers that a user exists; one write in the user's life. True when nobody knew. @throws RoomError unavailable. */
  async remember(uid: Uid, profile: Profile | undefined): Promise<boolean> {
    if (this.#fold.knowsUser(uid)) return false;
    const record = create(UserRecordSchema, {
      createTime: timestampFromMs(this.#now()),
      ...(profile && { profile }),
    });
    return await this.#writer.create(controlKeys.user(uid), UserRecordSchema, record);
  }

  /** A user's profile when first seen; undefined when nobody remembers it. */
  profile(uid: Uid): Profile | undefined {
    return this.#fold.profile(uid);
  }

  /**
   * True when the user has ever existed. Waits up to APPEAR_MS for one whose first connection is just being registered.
   * @throws RoomError unavailable.
   */
  async exists(uid: Uid): Promise<boolean> {
    return (await this.#isKnown(uid)) || this.#appears(uid);
  }

  async #isKnown(uid: Uid): Promise<boolean> {
    return this.#fold.knowsUser(uid) || (await this.#control.get(controlKeys.user(uid)))?.value !== undefined;
  }

  async #appears(uid: Uid): Promise<boolean> {
    if (this.#fold.knowsUser(uid)) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const appeared = (): void => resolve(true);
    const expected = this.#expected.get(uid) ?? new Set();
    this.#expected.set(uid, expected.add(appeared));
    const timer = setTimeout(resolve, APPEAR_MS, false);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      expected.delete(appeared);
      if (expected.size === 0) this.#expected.delete(uid);
    }
  }
}
