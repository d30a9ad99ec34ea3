import { describe, expect, it } from "vitest";
import type { TestClient } from "../../support/client.ts";
import { Crowd, type CrowdOptions, newRoom, texts } from "../../support/crowd.ts";
import { RpcClient } from "../../support/rpc.ts";
import { token } from "../../support/tokens.ts";
import type { Topology } from "../../support/topology.ts";

/** Every decision acts at every edge within this. */
const DECISION_MS = 1_000;
/** What only those may read who are still there. */
const SECRET = "for members only";

/** Who was sent away reads not one more message and does not come back, whatever it tries; on a topology with JWT_ENV. */
export function outcasts(topology: Topology): void {
  const rpc = () => new RpcClient(topology.rpcs[0] ?? "");
  const edges = () => topology.edges.keys();
  const bearer = (jwt: string): CrowdOptions => ({ protocols: ["baccarat.v1.json", `bearer.${jwt}`] });

  /** A room with a member who stays, and one who has a device at every edge and has been written to. */
  async function scene(crowd: Crowd) {
    const room_id = newRoom("scene");
    const sub = `out-${crypto.randomUUID()}`;
    const ann = await crowd.connect(bearer(await token({ sub: `ann-${crypto.randomUUID()}` })));
    const { epoch, seq } = await ann.request("join_room", { room_id });
    const jwt = await token({ sub });
    const devices: TestClient[] = [];
    for (const edge of edges()) devices.push(await crowd.join(room_id, { ...bearer(jwt), edge }));
    await ann.say(room_id, "for everybody");
    await ann.request("send_message", { to_uid: sub, message: "hello you" });
    for (const device of devices) {
      for (const text of ["for everybody", "hello you"]) {
        await device.next("new_message", ({ message }) => message === text);
      }
    }
    return { room_id, sub, ann, jwt, devices, since: { epoch, seq } };
  }

  describe("outcasts", { concurrent: true }, () => {
    it("who are banned: no message, no history, no way in on any device at any edge", async () => {
      await using crowd = new Crowd(topology);
      const { room_id, sub, ann, devices, since } = await scene(crowd);
      await rpc().call("RoomService/BanMember", { room_id, uid: sub, reason: "spam" });
      for (const device of devices) {
        await device.next("room_left", ({ reason }) => reason === "banned", { withinMs: DECISION_MS });
      }
      await ann.say(room_id, SECRET);
      const [conversation = ""] =
        devices[0]?.all("new_message").flatMap(({ payload }) => {
          return payload.room_id.startsWith("direct:") ? [payload.room_id] : [];
        }) ?? [];
      const promoted = await token({ sub, rooms: ["*", room_id], roles: ["moderator", "admin"] });
      const fresh: TestClient[] = [];
      for (const edge of edges()) {
        fresh.push(await crowd.connect({ ...bearer(promoted), edge }));
        fresh.push(await crowd.connect({ ...bearer(promoted), edge, query: { room_id } }));
      }
      for (const client of [...devices, ...fresh]) {
        for (const more of [{}, { since }, { history: 300 }]) {
          expect((await client.refused("join_room", { room_id, ...more })).code).toBe("banned");
        }
        expect((await client.refused("change_room", { room_id })).code).toBe("banned");
        for (const type of ["get_history", "get_members", "send_message", "typing"]) {
          expect((await client.refused(type, { room_id, message: "x" })).code, type).toBe("not_a_member");
        }
        const { code } = await client.refused("unban_member", { room_id, uid: sub });
        expect(code).toBe(fresh.includes(client) ? "not_a_member" : "permission_denied");
        // A direct conversation is another room, and shows nothing of this one.
        expect(texts(await client.request("join_room", { room_id: conversation, history: 300 }))).toEqual([
          "hello you",
        ]);
        const both = await client.refused("send_message", { room_id, to_uid: ann.uid, message: "let me in" });
        expect(both.code).toBe("invalid_argument");
      }
      expectNothing([...devices, ...fresh]);
    });

    it("who are revoked: no connection, by no token of theirs, no login, no session, and no direct message", async () => {
      await using crowd = new Crowd(topology);
      const { room_id, sub, ann, jwt, devices, since } = await scene(crowd);
      // Issued in time, and kept for later.
      const spare = await token({ sub, jti: crypto.randomUUID(), roles: ["admin"] }, 3_600);
      const waiting: TestClient[] = [];
      for (const edge of edges()) waiting.push(await crowd.open({ edge }));
      await rpc().call("AdminService/RevokeTokens", { uid: sub, reason: "stolen" });
      for (const device of devices) expect((await device.closing(DECISION_MS)).code).toBe(4501);
      await ann.next("member_left", ({ uid }) => uid === sub, { withinMs: DECISION_MS });
      await ann.say(room_id, SECRET);
      await ann.request("send_message", { to_uid: sub, message: SECRET });
      const tried: TestClient[] = [];
      for (const edge of edges()) {
        for (const text of [jwt, spare]) {
          tried.push(await crowd.open({ ...bearer(text), edge, query: { room_id } }));
          tried.push(await crowd.open({ headers: { authorization: `Bearer ${text}` }, edge }));
        }
        tried.push(await crowd.open({ protocols: ["baccarat.v1.json", "session.a.b"], edge }));
      }
      for (const client of waiting) {
        const { code } = await client.refused("login", { token: spare, direct_since: since });
        expect(code).toBe("unauthenticated");
      }
      for (const client of [...tried, ...waiting]) expect((await client.closing()).code).toBe(4501);
      expect(tried.flatMap((client) => client.all("welcome"))).toEqual([]);
      expectNothing([...devices, ...tried, ...waiting]);
    });
  });
}

function expectNothing(clients: readonly TestClient[]): void {
  for (const client of clients) expect(JSON.stringify(client.frames)).not.toContain(SECRET);
}
