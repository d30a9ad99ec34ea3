import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ControlStore } from "../../broker/broker.ts";
import { BlockRecordSchema } from "../../gen/baccarat/v1/control_pb.ts";
import { AuditAction } from "../../gen/baccarat/v1/moderation_pb.ts";
import { controlKeys } from "../control-keys.ts";
import { RoomError } from "../errors.ts";
import { SERVICE_UID_PREFIX, type Uid } from "../ids.ts";
import { FIXED } from "../limits.ts";
import type { Audit } from "./audit.ts";
import type { ControlFold } from "./control-fold.ts";
import type { ControlWriter } from "./control-writer.ts";
import type { Users } from "./users.ts";

/**
 * Who takes no direct messages of whom. A block is of one direction: it stops what the blocked user writes, not what is
 * written to it. Services are not stopped: they belong to the house.
 */
export class Blocks {
  readonly #control: ControlStore;
  readonly #fold: ControlFold;
  readonly #writer: ControlWriter;
  readonly #users: Users;
  readonly #audit: Audit;
  readonly #now: () => number;

  constructor(options: {
    control: ControlStore;
    fold: ControlFold;
    writer: ControlWriter;
    users: Users;
    audit: Audit;
    now: () => number;
  }) {
    this.#control = options.control;
    this.#fold = options.fold;
    this.#writer = options.writer;
    this.#users = options.users;
    this.#audit = options.audit;
    this.#now = options.now;
  }

  /**
   * Stops `other`'s direct messages to `uid`: at this replica before it resolves, at every edge within a second.
   * Blocking again does nothing.
   * @param service who decided, when that was not the user: `service:<token name>`.
   * @throws RoomError invalid_argument when it is the user itself, a service, one who never existed, or one too many;
   * unavailable.
   */
  async block(uid: Uid, other: Uid, service?: string): Promise<void> {
    if (uid === other) throw invalid("nobody blocks oneself");
    if (other.startsWith(SERVICE_UID_PREFIX)) throw invalid("services cannot be blocked");
    if (this.#fold.blocks.has(uid, other)) return;
    if (this.#fold.blocks.count(uid) >= FIXED.blocksPerUser) {
      throw invalid(`at most ${FIXED.blocksPerUser} users can be blocked`);
    }
    if (!(await this.#users.exists(other))) throw invalid("no such user");
    await this.#record(AuditAction.BLOCK, uid, other, service);
    const record = create(BlockRecordSchema, { createTime: timestampFromMs(this.#now()) });
    await this.#writer.put(controlKeys.block(uid, other), BlockRecordSchema, record);
  }

  /**
   * Lets `other`'s messages through again. Does nothing when they are not blocked.
   * @param service as in block.
   * @throws RoomError unavailable.
   */
  async unblock(uid: Uid, other: Uid, service?: string): Promise<void> {
    const key = controlKeys.block(uid, other);
    // Asked at the store: another replica may have acknowledged the block a moment ago. What is not there is not deleted,
    // since a deletion takes space, too.
    if ((await this.#control.get(key))?.value === undefined) return;
    await this.#record(AuditAction.UNBLOCK, uid, other, service);
    await this.#writer.delete(key);
  }

  /** @throws RoomError permission_denied when `uid` takes no messages of `from`. */
  requireOpen(from: Uid, uid: Uid): void {
    if (this.#fold.blocks.has(uid, from)) {
      throw new RoomError("permission_denied", "this user takes no direct messages from you");
    }
  }

  async #record(action: AuditAction, uid: Uid, other: Uid, actor: string | undefined): Promise<void> {
    if (actor !== undefined) await this.#audit.record({ action, actor, uid: other, facts: { for_uid: uid } });
  }
}

function invalid(rule: string): RoomError {
  return new RoomError("invalid_argument", `uid: ${rule}`, { metadata: { field: "uid" } });
}
