import { describe, expect, it } from "vitest";
import type { FrameError, TestClient } from "../../support/client.ts";
import { Crowd, newRoom, seqsSeen } from "../../support/crowd.ts";
import { eventually } from "../../support/eventually.ts";
import { RpcClient } from "../../support/rpc.ts";
import type { Topology } from "../../support/topology.ts";

/** Every decision acts at every edge within this. */
const DECISION_MS = 1_000;

interface AuditEvent {
  readonly action: string;
  readonly actor: string;
  readonly uid: string;
  readonly reason: string;
  readonly create_time: string;
  readonly facts: Readonly<Record<string, string>>;
}

/** What services decide about users in rooms, as users see it. */
export function moderation(topology: Topology): void {
  const rpc = (replica = 0) => new RpcClient(topology.rpcs[replica % topology.rpcs.length] ?? "");
  const decide = (method: string, request: object, replica = 0) => rpc(replica).call(`RoomService/${method}`, request);
  const update = (room_id: string, settings: object, update_mask: string) =>
    decide("UpdateRoom", { room: { room_id, ...settings }, update_mask });
  const taken = (client: TestClient, room_id: string, reason: string) =>
    client.next("room_left", (left) => left.room_id === room_id && left.reason === reason, { withinMs: DECISION_MS });

  describe("moderation", { concurrent: true }, () => {
    it("bans: out within a second with all devices, and no way back", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("ban");
      const [ann, bob] = [await crowd.join(room_id), await crowd.join(room_id)];
      const { session } = bob.welcome;
      await decide("BanMember", { room_id, uid: bob.uid, reason: "spam" });
      expect((await taken(bob, room_id, "banned")).payload.by).toMatch(/^service:/);
      const left = await ann.next("member_left", (member) => member.uid === bob.uid, { withinMs: DECISION_MS });
      expect(left.payload).toMatchObject({ count: 1, reason: "banned" });
      const { seq } = await ann.say(room_id, "he is gone");
      for (const type of ["send_message", "typing", "get_history", "get_members", "leave_room"] as const) {
        expect((await bob.refused(type, { room_id, message: "x" })).code, type).toBe("not_a_member");
      }
      expect((await bob.refused("join_room", { room_id })).code).toBe("banned");
      expect((await bob.refused("change_room", { room_id })).code).toBe("banned");
      for (let edge = 0; edge < topology.edges.length; edge++) {
        const again = await crowd.resume(session, { edge });
        expect(again.uid).toBe(bob.uid);
        expect((await again.refused("join_room", { room_id, since: { epoch: "x", seq: 0 } })).code).toBe("banned");
        expect(seqsSeen(again, room_id)).toEqual([]);
      }
      expect(seqsSeen(bob, room_id)).not.toContain(seq);
    });

    it("takes a guest back its session: gone within a second, and no way back as who it was", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("revoke");
      const [ann, bob] = [await crowd.join(room_id), await crowd.join(room_id)];
      const { session } = bob.welcome;
      await rpc().call("AdminService/RevokeTokens", { uid: bob.uid, reason: "bot" });
      expect((await bob.closing(DECISION_MS)).code).toBe(4501);
      await ann.next("member_left", (member) => member.uid === bob.uid, { withinMs: DECISION_MS });
      for (let edge = 0; edge < topology.edges.length; edge++) {
        const frame = await crowd.open({ edge });
        expect((await frame.refused("login", { session })).code).toBe("unauthenticated");
        const entry = await crowd.connect({ edge, protocols: ["baccarat.v1.json", `session.${session}`] });
        expect(entry.uid).not.toBe(bob.uid);
      }
    });

    it("lets back in who was unbanned, and says who is banned", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("unban");
      const ann = await crowd.connect();
      const bans = async () => {
        const page = await rpc().get<{ bans: { uid: string; reason: string }[] }>("RoomService/ListBans", { room_id });
        return page.bans.map((ban) => `${ban.uid} ${ban.reason}`);
      };
      for (const reason of ["first", "second"]) await decide("BanMember", { room_id, uid: ann.uid, reason });
      expect(await bans()).toEqual([`${ann.uid} second`]);
      expect((await ann.refused("join_room", { room_id })).code).toBe("banned");
      await decide("UnbanMember", { room_id, uid: ann.uid }, 1);
      await eventually("the ban to be lifted everywhere", async () => (await bans()).length === 0);
      await eventually("the user to get in", async () =>
        ann.request("join_room", { room_id }).then(
          () => true,
          () => false,
        ),
      );
      expect(await rpc().fails("RoomService/UnbanMember", { room_id, uid: ann.uid })).toMatchObject({
        status: 404,
        reason: "ERROR_REASON_NOT_FOUND",
      });
    });

    it("bans for a time", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("timed");
      const ann = await crowd.join(room_id);
      await decide("BanMember", { room_id, uid: ann.uid, duration: "2s" });
      await taken(ann, room_id, "banned");
      const refused = await ann.refused("join_room", { room_id });
      expect(refused).toMatchObject({ code: "banned", retryable: false });
      expect(refused.retry_after_ms).toBeGreaterThan(0);
      expect(refused.retry_after_ms).toBeLessThanOrEqual(2_000);
      await eventually("the ban to be over", async () =>
        ann.request("join_room", { room_id }).then(
          () => true,
          () => false,
        ),
      );
    });

    it("mutes: reading goes on, writing does not, until unmuted", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("mute");
      const [ann, bob] = [await crowd.join(room_id), await crowd.join(room_id)];
      await decide("MuteMember", { room_id, uid: bob.uid, reason: "caps", duration: "60s" });
      for (const client of [ann, bob]) {
        const { payload } = await client.next("member_muted", undefined, { withinMs: DECISION_MS });
        expect(payload).toMatchObject({ room_id, uid: bob.uid, reason: "caps", until: expect.stringMatching(/Z$/) });
      }
      const refused = await bob.refused("send_message", { room_id, message: "LET ME" });
      expect(refused.code).toBe("muted");
      expect(refused.retry_after_ms).toBeGreaterThan(50_000);
      const { seq } = await ann.say(room_id, "quiet now");
      await bob.next("new_message", (message) => message.seq === seq);
      const again = await crowd.resume(bob.welcome.session);
      const told = { muted: true, muted_until: expect.stringMatching(/Z$/) };
      expect(await again.request("join_room", { room_id })).toMatchObject(told);
      expect((await again.refused("send_message", { room_id, message: "x" })).code).toBe("muted");
      const spoken = await rpc().fails("RoomService/SendMessage", { room_id, uid: bob.uid, message: "x" });
      expect(spoken).toMatchObject({ status: 403, reason: "ERROR_REASON_MUTED" });
      await decide("UnmuteMember", { room_id, uid: bob.uid }, 1);
      await again.next("member_unmuted", undefined, { withinMs: DECISION_MS });
      await again.say(room_id, "thanks");
    });

    it("freezes, slows, and tells everybody", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("settings");
      const [ann, bob] = [await crowd.join(room_id), await crowd.join(room_id)];
      await update(room_id, { frozen: true, title: "Closed", metadata: { table_no: "7" } }, "frozen,title,metadata");
      for (const client of [ann, bob]) {
        const { payload } = await client.next("room_updated", undefined, { withinMs: DECISION_MS });
        expect(payload).toEqual({
          room_id,
          title: "Closed",
          frozen: true,
          slow_mode_ms: 0,
          private: false,
          capacity: 0,
          metadata: { table_no: "7" },
        });
        expect((await client.refused("send_message", { room_id, message: "x" })).code).toBe("permission_denied");
      }
      await rpc().call("RoomService/SendMessage", { room_id, message: "services may" });
      await update(room_id, { slow_mode_ms: 60_000 }, "frozen,slowModeMs");
      for (const client of [ann, bob]) {
        await client.next("room_updated", (settings) => !settings.frozen, { withinMs: DECISION_MS });
        const { settings } = await client.request("join_room", { room_id });
        expect(settings).toMatchObject({ title: "Closed", frozen: false, slow_mode_ms: 60_000 });
        await client.say(room_id, "one");
        const refused = await client.refused("send_message", { room_id, message: "two" });
        expect(refused).toMatchObject({ code: "rate_limited", retryable: true });
        expect(refused.retry_after_ms).toBeGreaterThan(50_000);
      }
    });

    it("private rooms are entered by invitation, and keep who was there before", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("invited");
      const [ann, bob] = [await crowd.join(room_id), await crowd.connect()];
      await update(room_id, { private: true }, "private");
      await ann.next("room_updated", (settings) => settings.private, { withinMs: DECISION_MS });
      expect((await bob.refused("join_room", { room_id })).code).toBe("permission_denied");
      await decide("InviteMember", { room_id, uid: bob.uid });
      await eventually("the invitation to be known", async () =>
        bob.request("join_room", { room_id }).then(
          () => true,
          () => false,
        ),
      );
      await ann.say(room_id, "welcome");
      await bob.next("new_message");
      await decide("UninviteMember", { room_id, uid: bob.uid });
      await bob.say(room_id, "still here");
      await bob.request("leave_room", { room_id });
      await eventually("the invitation to be taken back", async () => {
        const outcome = await bob.request("join_room", { room_id }).catch((error: FrameError) => error.payload.code);
        if (typeof outcome !== "string") await bob.request("leave_room", { room_id });
        return outcome === "permission_denied";
      });
    });

    it("a capacity keeps out who comes, not who is there", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("capacity");
      const clients = [await crowd.join(room_id), await crowd.join(room_id)];
      await update(room_id, { capacity: 1 }, "capacity");
      for (const client of clients) await client.next("room_updated", undefined, { withinMs: DECISION_MS });
      const late = await crowd.connect();
      expect((await late.refused("join_room", { room_id })).code).toBe("room_full");
      for (const client of clients) await client.say(room_id, "still here");
    });

    it("a guest may do nothing of this", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("guests");
      const [ann, bob] = [await crowd.join(room_id), await crowd.join(room_id)];
      const subject = { room_id, uid: bob.uid, frozen: true };
      for (const type of ["kick_member", "ban_member", "unban_member", "mute_member", "unmute_member", "update_room"]) {
        expect((await ann.refused(type, subject)).code, type).toBe("permission_denied");
      }
      await bob.say(room_id, "nothing happened");
    });

    it("is recorded: who did what to whom, why and when, newest first", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("audit");
      const [ann, bob] = [await crowd.join(room_id), await crowd.join(room_id)];
      const { uid } = bob;
      const { seq } = await bob.say(room_id, "rude");
      await decide("CreateRoom", { room: { room_id, title: "Lobby" } });
      await decide("MuteMember", { room_id, uid, reason: "caps" });
      await decide("UnmuteMember", { room_id, uid });
      await decide("DeleteMessage", { room_id, seq });
      await decide("KickMember", { room_id, uid, reason: "rude" });
      await taken(bob, room_id, "rude");
      await decide("BanMember", { room_id, uid, reason: "again" });
      await decide("UnbanMember", { room_id, uid });
      await update(room_id, { slow_mode_ms: 10 }, "slowModeMs");
      await ann.request("leave_room", { room_id });
      await decide("DeleteRoom", { room_id });
      const page = { room_id, page_size: 4 };
      const events: AuditEvent[] = [];
      let page_token = "";
      do {
        const next = await rpc().get<{ events: AuditEvent[]; next_page_token: string }>(
          "AdminService/ListAuditEvents",
          { ...page, page_token },
        );
        events.push(...next.events);
        page_token = next.next_page_token;
      } while (page_token !== "");
      const acts = events.map(({ action, uid: whom, reason }) => [action.replace("AUDIT_ACTION_", ""), whom, reason]);
      expect(acts.toReversed()).toEqual([
        ["CREATE_ROOM", "", ""],
        ["MUTE", uid, "caps"],
        ["UNMUTE", uid, ""],
        ["DELETE_MESSAGE", uid, ""],
        ["KICK", uid, "rude"],
        ["BAN", uid, "again"],
        ["UNBAN", uid, ""],
        ["UPDATE_ROOM", "", ""],
        ["DELETE_ROOM", "", ""],
      ]);
      for (const event of events) {
        expect(event.actor).toMatch(/^service:/);
        expect(Math.abs(Date.parse(event.create_time) - Date.now())).toBeLessThan(60_000);
      }
      expect(events.map(({ facts }) => facts).toReversed()[7]).toEqual({ slow_mode_ms: "10" });
    });
  });
}
