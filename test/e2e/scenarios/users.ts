import { describe, expect, it } from "vitest";
import type { TestClient } from "../../support/client.ts";
import { Crowd, type CrowdOptions, newRoom, texts } from "../../support/crowd.ts";
import { eventually } from "../../support/eventually.ts";
import { RpcClient } from "../../support/rpc.ts";
import { type Claims, JWT_ENV, token } from "../../support/tokens.ts";
import type { Topology } from "../../support/topology.ts";

const LOGIN_TIMEOUT_MS = 10_000;
const SLACK_MS = 5_000;

/** Environment of a topology for these scenarios: tokens, and less for a user than two connections may have. */
export const USERS = { ...JWT_ENV, MESSAGES_PER_SECOND_PER_USER: "30", MESSAGE_BURST_PER_USER: "60" } as const;

/** Users with tokens, on a topology with USERS: logging in, many devices of one user, and what roles allow. */
export function users(topology: Topology): void {
  const rpc = () => new RpcClient(topology.rpcs[0] ?? "");

  describe("users with tokens", { concurrent: true, timeout: 30_000 }, () => {
    it("log in by a frame, a header or a subprotocol entry, which is not echoed", async () => {
      await using crowd = new Crowd(topology);
      const jwt = await token({ sub: "ann|1", name: "Ann", avatar_id: "cat" });
      const expected = { uid: "ann|1", username: "Ann", avatar_id: "cat", session: "" };
      const byFrame = await crowd.open();
      expect(await byFrame.request("login", { token: jwt })).toMatchObject({
        ...expected,
        token_expires_at: expect.stringMatching(/Z$/),
      });
      const byHeader = await crowd.connect({ headers: { authorization: `Bearer ${jwt}` } });
      expect(byHeader.welcome).toMatchObject(expected);
      const byProtocol = await crowd.connect({ protocols: ["baccarat.v1.json", `bearer.${jwt}`] });
      expect(byProtocol.welcome).toMatchObject(expected);
      expect(byProtocol.protocol).toBe("baccarat.v1.json");
    });

    it("are unauthenticated until they do, and gone after 10 s without it", async () => {
      await using crowd = new Crowd(topology);
      const idle = await crowd.open();
      const eager = await crowd.open();
      expect((await eager.refused("join_room", { room_id: newRoom("early") })).code).toBe("unauthenticated");
      expect((await idle.closing(LOGIN_TIMEOUT_MS + SLACK_MS)).code).toBe(4006);
      expect(idle.all("welcome")).toEqual([]);
    });

    it("are closed with 4501 when the token is not good, and with 4005 when it ends", async () => {
      await using crowd = new Crowd(topology);
      const none = `${btoa('{"alg":"none"}')}.${btoa('{"sub":"ann"}')}.`.replaceAll("=", "");
      const bad = [none, "x", `${await token({ sub: "ann" })}x`, await token({ sub: "ann" }, -120)];
      for (const jwt of bad) {
        const client = await crowd.open();
        expect((await client.refused("login", { token: jwt })).code).toBe("unauthenticated");
        expect((await client.closing()).code).toBe(4501);
      }
      for (const jwt of [...bad, await token({ sub: "no uid *" })]) {
        const client = await crowd.open({ protocols: ["baccarat.v1.json", `bearer.${jwt}`] });
        expect((await client.closing()).code).toBe(4501);
        expect(client.all("welcome")).toEqual([]);
      }
      const guest = await crowd.open();
      expect((await guest.refused("login", { session: "a.b" })).code).toBe("unauthenticated");
      // The clocks of who signs and who checks may differ by 30 s: so far beyond its end a token is good.
      const brief = await crowd.open();
      await brief.request("login", { token: await token({ sub: "brief" }, -26) });
      expect((await brief.closing(10_000)).code).toBe(4005);
    });

    it("refresh their token, but not another's", async () => {
      await using crowd = new Crowd(topology);
      const ann = await crowd.connect(await as({ sub: "ann" }));
      const before = ann.welcome.token_expires_at;
      const after = await ann.request("login", { token: await token({ sub: "ann" }, 3_600) });
      expect(after).toMatchObject({ uid: "ann", client_id: ann.welcome.client_id });
      expect(Date.parse(after.token_expires_at ?? "")).toBeGreaterThan(Date.parse(before ?? ""));
      expect((await ann.refused("login", { token: await token({ sub: "bob" }) })).code).toBe("permission_denied");
    });

    it("may do what their newest token says", async () => {
      await using crowd = new Crowd(topology);
      const [room, sub] = [newRoom("rights"), crypto.randomUUID()];
      const ann = await crowd.join(room, await as({ sub: "ann" }));
      const mod = await crowd.join(room, await as({ sub, roles: ["moderator"] }));
      const first = await ann.say(room, "one");
      await mod.request("delete_message", { room_id: room, seq: first.seq });
      await mod.request("login", { token: await token({ sub }) });
      const { seq } = await ann.say(room, "two");
      expect((await mod.refused("delete_message", { room_id: room, seq })).code).toBe("permission_denied");
      await mod.request("login", { token: await token({ sub, rooms: ["elsewhere"] }) });
      expect((await mod.next("room_left", (left) => left.room_id === room, { withinMs: 1_000 })).payload).toMatchObject(
        {
          reason: "permission_denied",
        },
      );
      await mod.request("login", { token: await token({ sub, rooms: ["rights-*"] }) });
      await mod.request("join_room", { room_id: room });
    });

    it("whose tokens are revoked are gone within 1 s at every edge, and do not come back with one", async () => {
      await using crowd = new Crowd(topology);
      const sub = `revoked-${crypto.randomUUID()}`;
      const old = await as({ sub });
      const devices = [await crowd.connect(old), await crowd.connect(old), await crowd.connect(old)];
      const bystander = await crowd.connect(await as({ sub: "bystander" }));
      const { revoke_time } = await rpc().call<{ revoke_time: string }>("AdminService/RevokeTokens", {
        uid: sub,
        reason: "stolen phone",
      });
      for (const device of devices) expect((await device.closing(1_000)).code).toBe(4501);
      for (let edge = 0; edge < 3; edge++) {
        expect((await (await crowd.open({ ...old, edge })).closing()).code).toBe(4501);
      }
      await bystander.request("ping");
      // Tokens say in whole seconds when they were issued.
      await eventually("the second after", () => Date.now() > Date.parse(revoke_time) + 1_000);
      await crowd.connect(await as({ sub }));
      const { events } = await rpc().call<{ events: object[] }>("AdminService/ListAuditEvents", { uid: sub });
      expect(events).toMatchObject([{ action: "AUDIT_ACTION_REVOKE_TOKENS", reason: "stolen phone" }]);
    });

    it("lose the one token that is revoked by its id", async () => {
      await using crowd = new Crowd(topology);
      const [sub, jti] = [crypto.randomUUID(), crypto.randomUUID()];
      const lost = await crowd.connect(await as({ sub, jti }));
      const other = await crowd.connect(await as({ sub }));
      await rpc().call("AdminService/RevokeTokens", { token_id: jti });
      expect((await lost.closing(1_000)).code).toBe(4501);
      expect((await other.refused("login", { token: await token({ sub, jti }) })).code).toBe("unauthenticated");
      await other.request("ping");
    });

    it("are one member with all their connections, until the last one leaves", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("devices");
      const witness = await crowd.join(room, await as({ sub: "witness" }));
      const [phone, laptop] = [
        await crowd.join(room, await as({ sub: "ann" })),
        await crowd.join(room, await as({ sub: "ann" })),
      ];
      expect(await witness.request("get_members", { room_id: room })).toMatchObject({ count: 2 });
      await phone.close();
      await laptop.say(room, "still here");
      await witness.next("new_message");
      await laptop.close();
      await witness.next("member_left", (left) => left.uid === "ann", { withinMs: 1_000 });
      expect(witness.all("member_joined")).toHaveLength(1);
      expect(witness.all("member_left")).toHaveLength(1);
    });

    it("have 20 connections, and the 21st is closed with 4505", async () => {
      await using crowd = new Crowd(topology);
      const options = await as({ sub: `many-${crypto.randomUUID()}` });
      const clients = [];
      for (let index = 0; index < 20; index++) clients.push(await crowd.connect(options));
      expect((await (await crowd.open(options)).closing()).code).toBe(4505);
      for (const client of clients) await client.request("ping");
    });

    it("share what a user may send over all connections to one edge", async () => {
      await using crowd = new Crowd(topology);
      const connect = async (sub: string) => await crowd.connect({ ...(await as({ sub })), edge: 0 });
      const sub = `fast-${crypto.randomUUID()}`;
      const [phone, laptop] = [await connect(sub), await connect(sub)];
      const other = await connect(`fast-${crypto.randomUUID()}`);
      const startedAt = performance.now();
      const finished = async (...clients: readonly TestClient[]): Promise<number> => {
        const pings = clients.flatMap((client) => Array.from({ length: 60 }, () => client.request("ping")));
        await Promise.all(pings);
        return performance.now() - startedAt;
      };
      const [bothMs, otherMs] = await Promise.all([finished(phone, laptop), finished(other)]);
      // 60 at once and 30 a second for a user, 40 at once and 20 a second for a connection: logging in took some before.
      expect(bothMs).toBeGreaterThan(1_900);
      expect(otherMs).toBeLessThan(bothMs);
    });

    it("get direct messages on all devices of both", async () => {
      await using crowd = new Crowd(topology);
      const [ann, bob] = [`ann-${crypto.randomUUID()}`, `bob-${crypto.randomUUID()}`];
      const devices = [];
      for (const sub of [ann, ann, bob, bob]) devices.push(await crowd.connect(await as({ sub })));
      const eve = await crowd.connect(await as({ sub: "eve" }));
      await devices[0]?.request("send_message", { to_uid: bob, message: "hello all of you" });
      for (const device of devices) {
        const { payload } = await device.next("new_message");
        expect(payload).toMatchObject({ room_id: `direct:${ann}:${bob}`, uid: ann, to_uid: bob });
      }
      await eve.request("ping");
      expect(eve.all("new_message")).toEqual([]);
    });

    it("show the server's name for them, whatever they claim", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("identity");
      const ann = await crowd.join(room, await as({ sub: "ann", name: "Ann" }));
      const spoofed = { uid: "bob", username: "Bob", avatar_id: "b", message_id: "x-1", seq: 1e6, prev_seq: 1e6 };
      const more = { sent: "2000-01-01T00:00:00Z", roles: ["admin"], type: "table.result", from: "The Management" };
      const { seq, message_id } = await ann.say(room, "hello", { ...spoofed, ...more });
      const { payload } = await ann.next("new_message");
      expect(payload).toMatchObject({ uid: "ann", username: "Ann", from: "Ann", seq, message_id, message: "hello" });
      expect(Date.parse(payload.sent)).toBeGreaterThan(Date.now() - 60_000);
      expect([seq, payload.prev_seq]).not.toContain(1e6);
    });

    it("enter only the rooms their token names", async () => {
      await using crowd = new Crowd(topology);
      const ann = await crowd.connect(await as({ sub: "limited", rooms: ["team-*", "lobby"] }));
      await ann.request("join_room", { room_id: newRoom("team") });
      await ann.request("join_room", { room_id: "lobby" });
      expect((await ann.refused("join_room", { room_id: "lobby2" })).code).toBe("permission_denied");
      const nobody = await crowd.connect(await as({ sub: "nowhere", rooms: [] }));
      expect((await nobody.refused("join_room", { room_id: "lobby" })).code).toBe("permission_denied");
    });

    it("moderate the rooms their role names", async () => {
      await using crowd = new Crowd(topology);
      const [room, other] = [newRoom("game"), newRoom("chess")];
      const ann = await crowd.join(room, await as({ sub: "ann" }));
      const mod = await crowd.join(room, await as({ sub: "mod", roles: ["moderator:game-*"] }));
      for (const client of [ann, mod]) await client.request("join_room", { room_id: other });
      const { seq } = await ann.say(room, "rude");
      await mod.request("delete_message", { room_id: room, seq });
      expect((await ann.next("message_deleted")).payload).toMatchObject({ deleted_seq: seq, by_uid: "mod" });
      expect(texts(await ann.request("get_history", { room_id: room }))).toEqual([undefined]);
      const elsewhere = await ann.say(other, "rude");
      expect((await mod.refused("delete_message", { room_id: other, seq: elsewhere.seq })).code).toBe(
        "permission_denied",
      );
    });
  });
}

/** Connects as the user of these claims. */
async function as(claims: Claims): Promise<CrowdOptions> {
  return { protocols: ["baccarat.v1.json", `bearer.${await token(claims)}`] };
}
