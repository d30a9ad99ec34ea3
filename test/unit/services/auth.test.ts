import { describe, expect, it } from "vitest";
import {
  type Action,
  authorize,
  isModerator,
  type RoomAccess,
  requireScope,
  SCOPES,
  type Scope,
  type Service,
  senderUid,
  type User,
} from "../../../services/auth.ts";
import { type Reason, RoomError } from "../../../services/errors.ts";
import { parseRoomId, parseUid, type RoomId } from "../../../services/ids.ts";

function room(text: string): RoomId {
  const id = parseRoomId(text);
  if (!id) throw new Error(`no room id: ${text}`);
  return id;
}

function user(parts: Partial<Omit<User, "kind" | "uid">> & { uid?: string } = {}): User {
  const uid = parseUid(parts.uid ?? "percy");
  if (!uid) throw new Error(`no uid: ${parts.uid}`);
  return { kind: "user", username: "Percy", avatarId: "", guest: false, roles: [], rooms: undefined, ...parts, uid };
}

function service(...scopes: Scope[]): Service {
  return { kind: "service", name: "dealer", scopes: new Set(scopes) };
}

/** The reason of refusal, or "ok". */
function ask(principal: User | Service, action: Action, access: Omit<RoomAccess, "room"> = {}, id = "general"): string {
  try {
    authorize(principal, action, { room: room(id), ...access }, 1_000);
    return "ok";
  } catch (error) {
    if (error instanceof RoomError) return error.reason;
    throw error;
  }
}

type Answer = Reason | "ok";

const ACTIONS: readonly Action[] = [
  "join",
  "stay",
  "read",
  "publish",
  "delete_own",
  "delete_any",
  "moderate",
  "administer",
];

describe("authorize: users in rooms", () => {
  const moderator = user({ roles: ["moderator"] });
  it.each<[string, User, Action, Omit<RoomAccess, "room">, Answer]>([
    ["may join an open room", user(), "join", {}, "ok"],
    ["may not join a private room", user(), "join", { private: true }, "permission_denied"],
    ["may join a private room that the token names", user({ rooms: ["general"] }), "join", { private: true }, "ok"],
    ["may join a room that a pattern names", user({ rooms: ["gen*"] }), "join", { private: true }, "ok"],
    ["may not join what the token leaves out", user({ rooms: ["other"] }), "join", {}, "permission_denied"],
    ["may not join with an empty list", user({ rooms: [] }), "join", {}, "permission_denied"],
    ["may join anything as moderator", moderator, "join", { private: true }, "ok"],
    ["may not join a private room uninvited", user(), "join", { private: true, invited: false }, "permission_denied"],
    ["may join a private room by invitation", user(), "join", { private: true, invited: true }, "ok"],
    ["may join by invitation what the token leaves out", user({ rooms: [] }), "join", { invited: true }, "ok"],
    ["may not join by invitation when banned", user(), "join", { invited: true, bannedUntilMs: 1_001 }, "banned"],
    ["may not join when banned", user(), "join", { bannedUntilMs: Number.POSITIVE_INFINITY }, "banned"],
    ["may not join when banned, moderator or not", moderator, "join", { bannedUntilMs: 1_001 }, "banned"],
    ["may join when the ban is over", user(), "join", { bannedUntilMs: 1_000 }, "ok"],
    ["may stay in a room that was made private", user(), "stay", { private: true }, "ok"],
    ["may not stay when banned", user(), "stay", { bannedUntilMs: 1_001 }, "banned"],
    ["may not stay where a newer token leaves out", user({ rooms: ["other"] }), "stay", {}, "permission_denied"],
    ["may stay anywhere as moderator", user({ roles: ["moderator"], rooms: [] }), "stay", { private: true }, "ok"],
    ["may read as member", user(), "read", { member: true }, "ok"],
    ["may not read from outside", user(), "read", {}, "not_a_member"],
    ["may not read when banned", user(), "read", { member: true, bannedUntilMs: 1_001 }, "banned"],
    ["may publish as member", user(), "publish", { member: true }, "ok"],
    ["may not publish from outside", user(), "publish", {}, "not_a_member"],
    ["may not publish from outside as moderator", moderator, "publish", {}, "not_a_member"],
    ["may not publish while muted", user(), "publish", { member: true, mutedUntilMs: 1_001 }, "muted"],
    ["may publish when the mute is over", user(), "publish", { member: true, mutedUntilMs: 1_000 }, "ok"],
    ["may publish muted as moderator", moderator, "publish", { member: true, mutedUntilMs: 2_000 }, "ok"],
    ["may not publish in a frozen room", user(), "publish", { member: true, frozen: true }, "permission_denied"],
    ["may publish frozen as moderator", moderator, "publish", { member: true, frozen: true }, "ok"],
    ["may read in a frozen room", user(), "read", { member: true, frozen: true }, "ok"],
    ["may delete own messages", user(), "delete_own", { member: true }, "ok"],
    ["may not delete own messages from outside", user(), "delete_own", {}, "not_a_member"],
    ["may not delete others' messages", user(), "delete_any", { member: true }, "permission_denied"],
    ["may delete others' messages as moderator", moderator, "delete_any", { member: true }, "ok"],
    ["may not moderate", user(), "moderate", { member: true }, "permission_denied"],
    ["may moderate as moderator", moderator, "moderate", { member: true }, "ok"],
    ["may not moderate when banned", moderator, "moderate", { member: true, bannedUntilMs: 1_001 }, "banned"],
    ["may not moderate from outside", moderator, "moderate", {}, "not_a_member"],
    ["may never administer", user({ roles: ["admin"] }), "administer", { member: true }, "permission_denied"],
  ])("%s", (_, principal, action, access, answer) => {
    expect(ask(principal, action, access)).toBe(answer);
  });

  it("says when a mute ends", () => {
    const access = { room: room("general"), member: true, mutedUntilMs: 1_500 };
    expect(() => authorize(user(), "publish", access, 1_000)).toThrow(expect.objectContaining({ retryAfterMs: 500 }));
    const forEver = { ...access, mutedUntilMs: Number.POSITIVE_INFINITY };
    expect(() => authorize(user(), "publish", forEver, 1_000)).toThrow(expect.objectContaining({ retryAfterMs: 0 }));
  });

  it("says when a ban ends", () => {
    const access = { room: room("general"), bannedUntilMs: 1_500 };
    expect(() => authorize(user(), "join", access, 1_000)).toThrow(expect.objectContaining({ retryAfterMs: 500 }));
  });
});

describe("authorize: every action by every role", () => {
  const outsider = { member: false };
  const member = { member: true };
  const roles: readonly (readonly [string, User | Service, Omit<RoomAccess, "room">])[] = [
    ["outsider", user(), outsider],
    ["member", user(), member],
    ["muted member", user(), { ...member, mutedUntilMs: 2_000 }],
    ["member of a frozen room", user(), { ...member, frozen: true }],
    ["banned member", user(), { ...member, bannedUntilMs: 2_000 }],
    ["moderator outside", user({ roles: ["moderator:gen*"] }), outsider],
    ["moderator", user({ roles: ["moderator:general"] }), { ...member, mutedUntilMs: 2_000, frozen: true }],
    ["moderator of another room", user({ roles: ["moderator:other"] }), member],
    ["admin", user({ roles: ["admin"] }), { ...member, private: true }],
    ["service", service("admin"), { ...outsider, bannedUntilMs: 2_000, frozen: true, private: true }],
  ];
  const table: Readonly<Record<Action, string>> = {
    join: "ok ok ok ok banned ok ok ok ok ok",
    stay: "ok ok ok ok banned ok ok ok ok ok",
    read: "not_a_member ok ok ok banned not_a_member ok ok ok ok",
    publish: "not_a_member ok muted permission_denied banned not_a_member ok ok ok ok",
    delete_own: "not_a_member ok ok ok banned not_a_member ok ok ok ok",
    delete_any:
      "permission_denied permission_denied permission_denied permission_denied banned not_a_member ok permission_denied ok ok",
    moderate:
      "permission_denied permission_denied permission_denied permission_denied banned not_a_member ok permission_denied ok ok",
    administer: `${"permission_denied ".repeat(9)}ok`,
  };
  const rows = Object.entries(table).flatMap(([action, answers]) =>
    answers.split(" ").map((answer, index) => [action, roles[index]?.[0], answer, index] as const),
  );

  it.each(rows)("%s by %s: %s", (action, _, answer, index) => {
    const [, principal, access] = roles[index] ?? ["", user(), {}];
    expect(ask(principal, action as Action, access)).toBe(answer);
  });

  it("is all of them", () => expect(rows).toHaveLength(Object.keys(table).length * roles.length));
});

describe("authorize: direct conversations", () => {
  const DIRECT = "direct:anna:percy";
  it.each<[Action, Answer]>([
    ["join", "ok"],
    ["stay", "ok"],
    ["read", "ok"],
    ["publish", "ok"],
    ["delete_own", "ok"],
    ["delete_any", "permission_denied"],
    ["moderate", "permission_denied"],
    ["administer", "permission_denied"],
  ])("its users may %s: %s", (action, answer) => {
    for (const uid of ["anna", "percy"]) expect(ask(user({ uid }), action, {}, DIRECT)).toBe(answer);
  });

  it("are closed to everybody else, roles or patterns notwithstanding", () => {
    const eve = user({ uid: "eve", roles: ["admin", "moderator"], rooms: ["*", DIRECT] });
    for (const action of ["join", "read", "publish", "delete_own", "delete_any"] as const) {
      expect(ask(eve, action, { member: true }, DIRECT)).toBe("permission_denied");
    }
  });
});

describe("authorize: services", () => {
  it.each<[Scope, readonly Action[]]>([
    ["read", ["read"]],
    ["publish", ["publish"]],
    ["edge", []],
    ["admin", ACTIONS],
  ])("%s allows %j", (scope, allowed) => {
    for (const action of ACTIONS) {
      expect(ask(service(scope), action), action).toBe(allowed.includes(action) ? "ok" : "permission_denied");
    }
  });

  it("are not members and cannot be banned", () => {
    expect(ask(service("publish"), "publish", { bannedUntilMs: 2_000, frozen: true, private: true })).toBe("ok");
  });
});

describe("requireScope", () => {
  it.each(SCOPES.flatMap((has) => SCOPES.map((needs) => [has, needs] as const)))("%s for %s", (has, needs) => {
    const enough = has === needs || (has === "admin" && needs !== "edge");
    const call = () => requireScope(service(has), needs);
    if (enough) expect(call).not.toThrow();
    else expect(call).toThrow(expect.objectContaining({ reason: "permission_denied", metadata: { scope: needs } }));
  });
});

describe("isModerator", () => {
  it.each<[readonly string[], boolean]>([
    [[], false],
    [["moderator"], true],
    [["admin"], true],
    [["moderator:general"], true],
    [["moderator:gen*"], true],
    [["moderator:other", "moderator:general"], true],
    [["moderator:other"], false],
    [["moderator:"], false],
    [["Moderator"], false],
    [["moderators"], false],
  ])("%j: %s", (roles, expected) => expect(isModerator(user({ roles }), room("general"))).toBe(expected));
});

describe("senderUid", () => {
  it("keeps users and services apart", () => {
    expect(senderUid(user())).toBe("percy");
    expect(senderUid(service())).toBe("service:dealer");
    expect(parseUid(senderUid(service()))).toBeUndefined();
  });
});
