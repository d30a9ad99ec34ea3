import { describe, expect, it } from "vitest";
import { RoomClient } from "../../../client/src/index.ts";
import type { MuteChange, RoomSettings } from "../../../client/src/types.ts";
import { Crowd, type CrowdOptions, newRoom } from "../../support/crowd.ts";
import { eventually } from "../../support/eventually.ts";
import { RpcClient } from "../../support/rpc.ts";
import { type Claims, token } from "../../support/tokens.ts";
import type { Topology } from "../../support/topology.ts";

const DECISION_MS = 1_000;

/** Users whose tokens make them moderators, on a topology with JWT_ENV: by frames, and by the SDK. */
export function moderators(topology: Topology): void {
  const rpc = () => new RpcClient(topology.rpcs[0] ?? "");
  const as = async (claims: Claims): Promise<CrowdOptions> => ({
    headers: { authorization: `Bearer ${await token(claims)}` },
  });

  describe("moderators", { concurrent: true }, () => {
    it("kick, mute and ban across edges, in their own name", async () => {
      await using crowd = new Crowd(topology);
      const [room_id, sub] = [newRoom("game"), `ann-${crypto.randomUUID()}`];
      const ann = await crowd.join(room_id, await as({ sub }));
      const mod = await crowd.join(room_id, await as({ sub: "mod", roles: ["moderator:game-*"] }));
      await mod.request("mute_member", { room_id, uid: sub, reason: "caps", duration_ms: 60_000 });
      const muted = await ann.next("member_muted", undefined, { withinMs: DECISION_MS });
      expect(muted.payload).toMatchObject({ uid: sub, by: "mod", reason: "caps" });
      expect((await ann.refused("send_message", { room_id, message: "x" })).code).toBe("muted");
      await mod.request("unmute_member", { room_id, uid: sub });
      await ann.next("member_unmuted", undefined, { withinMs: DECISION_MS });
      await ann.say(room_id, "thanks");
      await mod.request("kick_member", { room_id, uid: sub });
      await ann.next("room_left", ({ reason, by }) => reason === "kicked" && by === "mod", { withinMs: DECISION_MS });
      await ann.request("join_room", { room_id });
      await mod.request("ban_member", { room_id, uid: sub, reason: "rude" });
      await ann.next("room_left", ({ reason }) => reason === "banned", { withinMs: DECISION_MS });
      const device = await crowd.connect(await as({ sub, rooms: ["*"], roles: ["moderator"] }));
      expect((await device.refused("join_room", { room_id })).code).toBe("banned");
      const { events } = await rpc().call<{ events: { action: string; actor: string }[] }>(
        "AdminService/ListAuditEvents",
        { room_id, actor: "mod" },
      );
      expect(events.map(({ action }) => action.replace("AUDIT_ACTION_", ""))).toEqual([
        "BAN",
        "KICK",
        "UNMUTE",
        "MUTE",
      ]);
    });

    it("freeze a room and slow it down, within what is theirs", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("game");
      const ann = await crowd.join(room_id, await as({ sub: "ann" }));
      const mod = await crowd.join(room_id, await as({ sub: "mod", roles: ["admin"] }));
      await mod.request("update_room", { room_id, frozen: true });
      await ann.next("room_updated", ({ frozen }) => frozen, { withinMs: DECISION_MS });
      expect((await ann.refused("send_message", { room_id, message: "x" })).code).toBe("permission_denied");
      await mod.say(room_id, "only moderators");
      expect((await ann.refused("update_room", { room_id, frozen: false })).code).toBe("permission_denied");
      const elsewhere = await crowd.join(room_id, await as({ sub: "eve", roles: ["moderator:chess-*"] }));
      expect((await elsewhere.refused("kick_member", { room_id, uid: "ann" })).code).toBe("permission_denied");
      const outside = await crowd.connect(await as({ sub: "zoe", roles: ["moderator"] }));
      expect((await outside.refused("kick_member", { room_id, uid: "ann" })).code).toBe("not_a_member");
    });

    it("have it all in the SDK", async () => {
      const room_id = newRoom("game");
      const connect = (index: number, claims: Claims) => {
        const url = new URL("/ws", topology.edges[index % topology.edges.length]);
        url.protocol = "ws:";
        return new RoomClient(url.href, { getToken: () => token(claims) });
      };
      const sub = `ann-${crypto.randomUUID()}`;
      const clients = [connect(0, { sub: "mod", roles: ["moderator"] }), connect(1, { sub })] as const;
      try {
        const [{ room: mine }, { room: hers }] = await Promise.all([
          clients[0].join(room_id),
          clients[1].join(room_id),
        ]);
        const mutes: MuteChange[] = [];
        const updates: RoomSettings[] = [];
        const left: string[] = [];
        hers.on("muted", (change) => mutes.push(change));
        hers.on("updated", (settings) => updates.push(settings));
        hers.on("left", ({ reason }) => left.push(reason));
        await mine.mute(sub, { durationMs: 60_000, reason: "caps" });
        await eventually("the mute", () => mutes.length === 1);
        expect(mutes[0]).toMatchObject({ uid: sub, muted: true, by: "mod", reason: "caps" });
        await expect(hers.send("x")).rejects.toMatchObject({ code: "muted" });
        await mine.unmute(sub);
        await eventually("the end of the mute", () => mutes[1]?.muted === false);
        await mine.update({ slowModeMs: 60_000 });
        await eventually("the settings", () => updates.at(-1)?.slowModeMs === 60_000);
        await mine.update({ slowModeMs: 0, frozen: false });
        await expect(hers.kick("mod")).rejects.toMatchObject({ code: "permission_denied" });
        await mine.kick(sub, { reason: "cool off" });
        await eventually("the kick", () => left.length === 1);
        await mine.ban(sub, { durationMs: 60_000 });
        await expect(clients[1].join(room_id)).rejects.toMatchObject({ code: "banned" });
        await mine.unban(sub);
        await eventually("the way back", async () =>
          clients[1].join(room_id).then(
            () => true,
            () => false,
          ),
        );
        expect(left).toEqual(["cool off"]);
      } finally {
        for (const client of clients) client.close();
      }
    });
  });
}
