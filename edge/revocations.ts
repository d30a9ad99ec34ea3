import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Revocation } from "../gen/baccarat/v1/edge_service_pb.ts";

/** What somebody is known by: a token, or a guest's session, which has no id. */
export interface Proof {
  /** Empty for none. */
  readonly tokenId: string;
  /** When it was issued, in milliseconds since 1970; 0 when it does not say. */
  readonly issuedAtMs: number;
}

/** Tokens and sessions that were taken back, as the control plane told. It stays known while the control plane is away. */
export class Revocations {
  /** Until when a user's tokens must have been issued to be no good any more, in milliseconds since 1970. */
  readonly #users = new Map<string, number>();
  readonly #tokens = new Set<string>();

  /** Takes further ones in; with `whole` they are all there are, and what was known before is forgotten. */
  add(revocations: readonly Revocation[], whole: boolean): void {
    if (whole) {
      this.#users.clear();
      this.#tokens.clear();
    }
    for (const { uid, tokenId, revokeTime } of revocations) {
      if (tokenId !== "") this.#tokens.add(tokenId);
      else this.#users.set(uid, revokeTime === undefined ? Number.POSITIVE_INFINITY : timestampMs(revokeTime));
    }
  }

  /** True for what was taken back by its id, or by its user when it is no younger. */
  has(uid: string, proof: Proof): boolean {
    if (this.#tokens.has(proof.tokenId)) return true;
    const until = this.#users.get(uid);
    return until !== undefined && proof.issuedAtMs <= until;
  }
}
