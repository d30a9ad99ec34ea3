import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { RevocationRecord } from "../../gen/baccarat/v1/control_pb.ts";
import { type Revocation, RevocationSchema } from "../../gen/baccarat/v1/edge_service_pb.ts";
import { controlKeys, type RevokedKey } from "../control-keys.ts";

/** What was taken back, and where that is stored. */
export interface FoldedRevocation {
  readonly key: string;
  readonly revocation: Revocation;
}

/** The part of the fold that remembers which tokens were taken back. */
export class RevokedTokens {
  readonly #byKey = new Map<string, FoldedRevocation>();

  get size(): number {
    return this.#byKey.size;
  }

  /** Notes what was stored under a key; returns it unless it was deleted. */
  put(subject: RevokedKey, record: RevocationRecord | undefined): Revocation | undefined {
    const key = "uid" in subject ? controlKeys.revokedUser(subject.uid) : controlKeys.revokedToken(subject.tokenId);
    // In the order of the log, oldest first.
    this.#byKey.delete(key);
    if (record === undefined) return undefined;
    const { revokeTime } = record;
    const who = "uid" in subject ? { uid: subject.uid } : { tokenId: subject.tokenId };
    const revocation = create(RevocationSchema, { ...who, ...(revokeTime && { revokeTime }) });
    this.#byKey.set(key, { key, revocation });
    return revocation;
  }

  /** Everything, oldest first. */
  all(): FoldedRevocation[] {
    return [...this.#byKey.values()];
  }

  /** Those decided before a time, in milliseconds since 1970. */
  decidedBefore(ms: number): FoldedRevocation[] {
    return this.all().filter(({ revocation: { revokeTime } }) => (revokeTime ? timestampMs(revokeTime) : 0) < ms);
  }
}
