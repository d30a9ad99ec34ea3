import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { controlKeys, parseControlKey } from "../../../services/control-keys.ts";
import { parseRoomId, parseUid, type RoomId, type Uid } from "../../../services/ids.ts";

const text = (alphabet: string) =>
  fc.array(fc.constantFrom(...alphabet), { minLength: 1, maxLength: 64 }).map((parts) => parts.join(""));
const rooms = text("aZ09_.:@-").map((id) => parseRoomId(id) ?? ("room" as RoomId));
const uids = text("aZ09_.@|-").map((id) => parseUid(id) ?? ("uid" as Uid));
const names = fc.string({ minLength: 1, maxLength: 40, unit: "binary-ascii" });

describe("control keys", () => {
  it("come apart into what they were made of", () => {
    fc.assert(
      fc.property(rooms, uids, names, names, (room, uid, incarnation, clientId) => {
        expect(parseControlKey(controlKeys.room(room))).toEqual({ kind: "room", room });
        expect(parseControlKey(controlKeys.user(uid))).toEqual({ kind: "user", uid });
        for (const kind of ["ban", "mute", "invite"] as const) {
          expect(parseControlKey(controlKeys[kind](room, uid))).toEqual({ kind, room, uid });
        }
        expect(parseControlKey(controlKeys.audit(clientId))).toEqual({ kind: "audit", id: clientId });
        expect(parseControlKey(controlKeys.snapshot(room, clientId))).toEqual({
          kind: "snapshot",
          room,
          key: clientId,
        });
        const entry = { kind: "entry", room, uid, incarnation, clientId };
        expect(parseControlKey(controlKeys.entry(room, uid, incarnation, clientId))).toEqual(entry);
        expect(parseControlKey(controlKeys.client(incarnation, clientId))).toEqual({
          kind: "client",
          incarnation,
          clientId,
        });
        expect(parseControlKey(controlKeys.revokedUser(uid))).toEqual({ kind: "revoked", subject: { uid } });
        const byId = { kind: "revoked", subject: { tokenId: clientId } };
        expect(parseControlKey(controlKeys.revokedToken(clientId))).toEqual(byId);
        for (const kind of ["lease", "traffic", "fence", "drain", "attachment"] as const) {
          expect(parseControlKey(controlKeys[kind](incarnation))).toEqual({ kind, incarnation });
        }
      }),
    );
  });

  it("hold nothing but what every engine takes for a key", () => {
    fc.assert(
      fc.property(rooms, uids, names, names, (room, uid, incarnation, clientId) => {
        expect(controlKeys.entry(room, uid, incarnation, clientId)).toMatch(/^entry(\.[A-Za-z0-9_=-]+){4}$/);
      }),
    );
  });

  it("of other kinds are not for the fold", () => {
    expect(parseControlKey(controlKeys.notice)).toEqual({ kind: "notice" });
    expect(parseControlKey(controlKeys.sessionSecret)).toBeUndefined();
    expect(parseControlKey(controlKeys.snapshotCheckpoint)).toBeUndefined();
    for (const key of [
      "",
      ".",
      "room",
      "room.",
      "room.a.b",
      "entry.a.b.c",
      "ban.a",
      "mute.a.b.c",
      "audit",
      "revoked.room.a",
      "revoked.a",
      "ROOM.a",
      "__proto__.a",
    ]) {
      expect(parseControlKey(key)).toBeUndefined();
    }
  });
});
