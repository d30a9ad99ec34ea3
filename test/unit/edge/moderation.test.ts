import { randomBytes } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Edge } from "../../../edge/edge.ts";
import { RoomSchema } from "../../../gen/baccarat/v1/room_pb.ts";
import type { Service } from "../../../services/auth.ts";
import { parseUid, type Uid } from "../../../services/ids.ts";
import { TokenVerifier } from "../../../services/tokens.ts";
import { FrameError, type TestClient } from "../../support/client.ts";
import { eventually } from "../../support/eventually.ts";
import { InProcess } from "./in-process.ts";
import { room as roomId } from "./stored.ts";

/** Decisions act at every edge within this. */
const DECISION_MS = 1_000;

const OPS: Service = { kind: "service", name: "ops", scopes: new Set(["admin"]) };
const secret = randomBytes(32);
let product: InProcess;
let edges: readonly [Edge, Edge];
let rooms = 0;

beforeAll(async () => {
  product = await InProcess.start();
  const verifier = new TokenVerifier({ key: { secret } });
  edges = [await product.edge({ verifier }), await product.edge({ verifier })];
});
afterAll(() => product[Symbol.asyncDispose]());

const newRoom = (): string => `room-${++rooms}`;

async function connect(sub: string, claims: { roles?: string[]; rooms?: string[] } = {}, at = 0): Promise<TestClient> {
  const token = await new SignJWT({ sub, ...claims })
    .setProtectedHeader({ alg: "HS256" })
    .setExpirationTime("1h")
    .sign(secret);
  const edge = edges[at] ?? edges[0];
  return await product.client(edge, { query: { room_id: "" }, headers: { authorization: `Bearer ${token}` } });
}

async function member(room: string, sub: string, claims: { roles?: string[] } = {}, at = 0): Promise<TestClient> {
  const client = await connect(sub, claims, at);
  await client.request("join_room", { room_id: room });
  return client;
}

/** A room with its moderator at one edge and a member at the other. */
async function table() {
  const room = newRoom();
  const mod = await member(room, "mod", { roles: [`moderator:${room}`] });
  const ann = await member(room, "ann", {}, 1);
  return { room, mod, ann };
}

function refused(promise: Promise<unknown>): Promise<FrameError["payload"]> {
  return promise.then(
    () => Promise.reject(new Error("it was not refused")),
    (error: unknown) => (error instanceof FrameError ? error.payload : Promise.reject(error)),
  );
}

describe("moderators, by frames", () => {
  it("kick", async () => {
    const { room, mod, ann } = await table();
    const reply = await mod.request("kick_member", { room_id: room, uid: "ann", reason: "cool off" });
    expect(reply).toEqual({ room_id: room });
    const { payload } = await ann.next("room_left", undefined, { withinMs: DECISION_MS });
    expect(payload).toEqual({ room_id: room, reason: "cool off", by: "mod" });
    await mod.next("member_left", ({ uid, reason }) => uid === "ann" && reason === "kicked");
    await ann.request("join_room", { room_id: room });
  });

  it("ban and unban", async () => {
    const { room, mod, ann } = await table();
    await mod.request("ban_member", { room_id: room, uid: "ann", reason: "spam", duration_ms: 60_000 });
    const { payload } = await ann.next("room_left", undefined, { withinMs: DECISION_MS });
    expect(payload).toEqual({ room_id: room, reason: "banned", by: "mod" });
    await mod.next("member_left", ({ uid, reason }) => uid === "ann" && reason === "banned");
    const again = [ann, await connect("ann"), await connect("ann", { roles: ["moderator"] }, 1)];
    for (const client of again) {
      const error = await refused(client.request("join_room", { room_id: room }));
      expect(error).toMatchObject({ code: "banned", retry_after_ms: expect.closeTo(60_000, -4) });
    }
    for (const type of ["send_message", "get_history", "typing"] as const) {
      expect(await refused(ann.request(type, { room_id: room, message: "x" }))).toMatchObject({ code: "not_a_member" });
    }
    await mod.request("unban_member", { room_id: room, uid: "ann" });
    await ann.request("join_room", { room_id: room });
    expect(await refused(mod.request("unban_member", { room_id: room, uid: "ann" }))).toMatchObject({
      code: "invalid_argument",
    });
  });

  it("mute and unmute, of which every member hears", async () => {
    const { room, mod, ann } = await table();
    await mod.request("mute_member", { room_id: room, uid: "ann", duration_ms: 60_000, reason: "caps" });
    for (const client of [mod, ann]) {
      const { payload } = await client.next("member_muted", undefined, { withinMs: DECISION_MS });
      expect(payload).toEqual({ room_id: room, uid: "ann", by: "mod", until: expect.any(String), reason: "caps" });
    }
    const muted = { code: "muted", retryable: false, retry_after_ms: expect.closeTo(60_000, -4) };
    expect(await refused(ann.say(room, "x"))).toMatchObject(muted);
    expect(await refused(ann.request("typing", { room_id: room }))).toMatchObject({ code: "muted" });
    const elsewhere = await member(room, "ann");
    expect(await refused(elsewhere.say(room, "x"))).toMatchObject(muted);
    await mod.say(room, "she still reads");
    await ann.next("new_message");
    await mod.request("unmute_member", { room_id: room, uid: "ann" });
    for (const client of [mod, ann]) {
      const { payload } = await client.next("member_unmuted", undefined, { withinMs: DECISION_MS });
      expect(payload).toEqual({ room_id: room, uid: "ann", by: "mod", until: null });
    }
    for (const client of [ann, elsewhere]) await client.say(room, "thanks");
  });

  it("let a mute end by itself", async () => {
    const { room, mod, ann } = await table();
    await mod.request("mute_member", { room_id: room, uid: "ann", duration_ms: 300 });
    await ann.next("member_muted");
    await eventually("the mute to be over", () =>
      ann.say(room, "again").then(
        () => true,
        () => false,
      ),
    );
    expect(ann.all("member_unmuted")).toEqual([]);
  });

  it("freeze and slow a room, of which every member hears", async () => {
    const { room, mod, ann } = await table();
    await mod.request("update_room", { room_id: room, frozen: true });
    for (const client of [mod, ann]) {
      const { payload } = await client.next("room_updated", undefined, { withinMs: DECISION_MS });
      expect(payload).toEqual({
        room_id: room,
        title: "",
        frozen: true,
        slow_mode_ms: 0,
        private: false,
        capacity: 0,
        metadata: {},
      });
    }
    expect(await refused(ann.say(room, "x"))).toMatchObject({ code: "permission_denied" });
    await mod.say(room, "only I may");
    await mod.request("update_room", { room_id: room, frozen: false, slow_mode_ms: 60_000 });
    await ann.next("room_updated", ({ frozen, slow_mode_ms }) => !frozen && slow_mode_ms === 60_000);
    await ann.say(room, "first");
    expect(await refused(ann.say(room, "second"))).toMatchObject({
      code: "rate_limited",
      retryable: true,
      retry_after_ms: expect.closeTo(60_000, -4),
    });
    for (const text of ["not", "slowed"]) await mod.say(room, text);
    await mod.request("update_room", { room_id: room, slow_mode_ms: 0 });
    await ann.next("room_updated", ({ slow_mode_ms }) => slow_mode_ms === 0);
    await ann.say(room, "at once");
  });

  it("only those: everybody else is refused, and so is a moderator outside of the room", async () => {
    const { room, ann } = await table();
    const stranger = await connect("cyd", { roles: ["moderator"] });
    const subject = { room_id: room, uid: "mod", frozen: true };
    const types = ["kick_member", "ban_member", "unban_member", "mute_member", "unmute_member", "update_room"] as const;
    for (const type of types) {
      const error = await refused(ann.request(type, subject));
      expect(error).toMatchObject({ code: "permission_denied", request_type: type });
      expect(await refused(stranger.request(type, subject))).toMatchObject({ code: "not_a_member" });
    }
  });
});

describe("private rooms", () => {
  it("are entered by pattern, role or invitation, and keep who was there before", async () => {
    const { room, ann } = await table();
    const { moderation, administration } = product.controlPlane.moderating;
    const access = { room: roomId(room) };
    const settings = create(RoomSchema, { roomId: room, private: true });
    await administration.update(OPS, access, settings, undefined);
    await ann.next("room_updated", (updated) => updated.private, { withinMs: DECISION_MS });
    await ann.say(room, "still here");
    expect(await refused(member(room, "bob"))).toMatchObject({ code: "permission_denied" });
    await connect("dan", { rooms: [room] }).then((client) => client.request("join_room", { room_id: room }));
    await moderation.invite(OPS, access, { uid: parseUid("bob") as Uid, reason: "" });
    const bob = await member(room, "bob", {}, 1);
    await bob.say(room, "thanks");
  });
});
