import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { RevocationRecordSchema } from "../../gen/baccarat/v1/control_pb.ts";
import { AuditAction } from "../../gen/baccarat/v1/moderation_pb.ts";
import { controlKeys, type RevokedKey } from "../control-keys.ts";
import { RoomError } from "../errors.ts";
import { FIXED } from "../limits.ts";
import { type Audit, checkReason } from "./audit.ts";
import type { ControlFold } from "./control-fold.ts";
import type { ControlWriter } from "./control-writer.ts";

/**
 * Takes clients' tokens back. Edges are told by the fold and act: they close who came with such a token and refuse who
 * comes with it, also while the control plane is away.
 */
export class Revocations {
  readonly #fold: ControlFold;
  readonly #writer: ControlWriter;
  readonly #audit: Audit;
  readonly #now: () => number;

  constructor(options: { fold: ControlFold; writer: ControlWriter; audit: Audit; now: () => number }) {
    this.#fold = options.fold;
    this.#writer = options.writer;
    this.#audit = options.audit;
    this.#now = options.now;
  }

  /**
   * Takes back one token, or all that a user was issued until now; doing it again moves that time.
   * @returns when that was: a user's tokens issued later are good.
   * @throws RoomError invalid_argument, rate_limited when FIXED.revocations are in force, unavailable.
   */
  async revoke(actor: string, subject: RevokedKey, reason: string): Promise<Timestamp> {
    checkReason(reason);
    if (this.#fold.revoked.size >= FIXED.revocations) {
      throw new RoomError("rate_limited", `at most ${FIXED.revocations} revocations may be in force`);
    }
    const [key, whom] =
      "uid" in subject
        ? [controlKeys.revokedUser(subject.uid), { uid: subject.uid }]
        : [controlKeys.revokedToken(subject.tokenId), { facts: { token_id: subject.tokenId } }];
    await this.#audit.record({ action: AuditAction.REVOKE_TOKENS, actor, reason, ...whom });
    const revokeTime = timestampFromMs(this.#now());
    await this.#writer.put(key, RevocationRecordSchema, create(RevocationRecordSchema, { revokeTime }));
    return revokeTime;
  }
}
