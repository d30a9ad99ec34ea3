import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { Revocations } from "../../../edge/revocations.ts";
import { RevocationSchema } from "../../../gen/baccarat/v1/edge_service_pb.ts";

const token = (tokenId: string, issuedAtMs: number) => ({ tokenId, issuedAtMs, expiresAtMs: 0 });
const ofUser = (uid: string, ms: number) => create(RevocationSchema, { uid, revokeTime: timestampFromMs(ms) });

describe("an edge's revocations", () => {
  it("are of a user's tokens up to a time, or of one token", () => {
    const revocations = new Revocations();
    revocations.add([ofUser("ann", 5_000), create(RevocationSchema, { tokenId: "t9" })], false);
    expect(revocations.has("ann", token("", 5_000))).toBe(true);
    expect(revocations.has("ann", token("", 0))).toBe(true);
    expect(revocations.has("ann", token("", 5_001))).toBe(false);
    expect(revocations.has("bob", token("", 0))).toBe(false);
    expect(revocations.has("bob", token("t9", 9_000))).toBe(true);
  });

  it("are forgotten when the control plane begins anew", () => {
    const revocations = new Revocations();
    revocations.add([ofUser("ann", 5_000)], false);
    revocations.add([ofUser("bob", 5_000)], true);
    revocations.add([ofUser("eve", 5_000)], false);
    expect(["ann", "bob", "eve"].map((uid) => revocations.has(uid, token("", 1)))).toEqual([false, true, true]);
  });
});
