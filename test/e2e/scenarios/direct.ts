import { describe, expect, it } from "vitest";
import { FrameError, type TestClient } from "../../support/client.ts";
import { Crowd, newRoom, texts } from "../../support/crowd.ts";
import { eventually } from "../../support/eventually.ts";
import { RpcClient } from "../../support/rpc.ts";
import type { Topology } from "../../support/topology.ts";

/** How long a decision may take to hold everywhere, in milliseconds. */
const DECISION_MS = 1_000;
/** Conversations a user may begin within a minute. */
const NEW_CONVERSATIONS = 10;

/** Messages from one user to another. */
export function direct(topology: Topology): void {
  describe("direct messages", { concurrent: true }, () => {
    it("reach recipient and sender wherever they are connected, and nobody else", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("same-room");
      const [ann, bob, eve] = [await crowd.join(room), await crowd.join(room), await crowd.join(room)];
      const conversation = `direct:${[ann.uid, bob.uid].sort().join(":")}`;
      const ack = await ann.request("send_message", { to_uid: bob.uid, message: "psst" });
      expect(ack).toMatchObject({ room_id: conversation, duplicate: false });
      for (const client of [ann, bob]) {
        expect((await client.next("new_message")).payload).toMatchObject({
          room_id: conversation,
          uid: ann.uid,
          to_uid: bob.uid,
          message: "psst",
          seq: ack.seq,
          message_id: ack.message_id,
        });
      }
      await bob.request("send_message", { to_uid: ann.uid, message: "what?" });
      await ann.next("new_message", (message) => message.message === "what?" && message.room_id === conversation);
      await ann.say(room, "everyone");
      await eve.next("new_message");
      expect(eve.all("new_message").map((frame) => frame.payload.message)).toEqual(["everyone"]);
    });

    it("are a room of two with history, which only these two read and write", async () => {
      await using crowd = new Crowd(topology);
      const [ann, bob, eve] = [await crowd.connect(), await crowd.connect(), await crowd.connect()];
      const { room_id: conversation, seq } = await ann.request("send_message", { to_uid: bob.uid, message: "secret" });
      for (const client of [ann, bob]) {
        expect(texts(await client.request("get_history", { room_id: conversation }))).toEqual(["secret"]);
        const joined = await client.request("join_room", { room_id: conversation, history: 10 });
        expect(texts(joined)).toEqual(["secret"]);
      }
      await bob.request("send_message", { room_id: conversation, message: "answer" });
      await ann.next("new_message", (message) => message.message === "answer" && message.to_uid === ann.uid);
      for (const [type, payload] of [
        ["get_history", { room_id: conversation }],
        ["join_room", { room_id: conversation, history: 10 }],
        ["send_message", { room_id: conversation, message: "me too" }],
        ["delete_message", { room_id: conversation, seq }],
        ["get_members", { room_id: conversation }],
      ] as const) {
        expect((await eve.refused(type, payload)).code, type).toBe("permission_denied");
      }
      expect(eve.all("new_message")).toEqual([]);
    });

    it("are stored once under retry", async () => {
      await using crowd = new Crowd(topology);
      const [ann, bob] = [await crowd.connect(), await crowd.connect()];
      const send = () => ann.request("send_message", { to_uid: bob.uid, message: "once", client_msg_id: "key" });
      const first = await send();
      expect(await send()).toMatchObject({ seq: first.seq, duplicate: true });
      expect(texts(await bob.request("get_history", { room_id: first.room_id }))).toEqual(["once"]);
    });

    it("are refused to nobody, to oneself and to a room at the same time", async () => {
      await using crowd = new Crowd(topology);
      const [ann, bob] = [await crowd.connect(), await crowd.connect()];
      for (const payload of [
        { to_uid: `nobody-${crypto.randomUUID()}`, message: "x" },
        { to_uid: ann.uid, message: "x" },
        { to_uid: "no uid", message: "x" },
        { to_uid: bob.uid, room_id: newRoom("both"), message: "x" },
        { room_id: `direct:${bob.uid}:${bob.uid}`, message: "x" },
        { room_id: "direct:", message: "x" },
      ]) {
        expect((await ann.refused("send_message", payload)).code, JSON.stringify(payload)).toBe("invalid_argument");
      }
    });

    it("make conversations, which are listed latest first, page by page", async () => {
      await using crowd = new Crowd(topology);
      const [ann, ...others] = await Promise.all(Array.from({ length: 5 }, () => crowd.connect()));
      if (ann === undefined) throw new Error("nobody came");
      const sent: (readonly [uid: string, seq: number])[] = [];
      for (const other of others) sent.unshift([other.uid, (await say(other, ann, "hi")).seq]);
      const pages: (readonly [string, number])[][] = [];
      let page_token = "";
      do {
        const page = await ann.request("get_conversations", { page_size: 3, page_token });
        pages.push(page.conversations.map(({ uid, seq }) => [uid, seq] as const));
        page_token = page.next_page_token;
      } while (page_token !== "");
      expect(pages).toEqual([sent.slice(0, 3), sent.slice(3)]);
      expect((await ann.refused("get_conversations", { page_token: "bm90IG9uZQ" })).code).toBe("invalid_argument");
      expect((await ann.refused("get_conversations", { page_size: 1_001 })).code).toBe("invalid_argument");
      const { conversations } = (await others[0]?.request("get_conversations")) ?? { conversations: [] };
      expect(conversations).toMatchObject([{ uid: ann.uid, username: ann.welcome.username }]);
    });

    it("stop within a second when their author is blocked, at every edge, and go on when not", async () => {
      await using crowd = new Crowd(topology);
      const [ann, bob] = [await crowd.connect(), await crowd.connect()];
      await say(ann, bob, "hello");
      expect(await bob.request("block_user", { uid: ann.uid })).toEqual({});
      await eventually("the block", async () => (await attempt(ann, bob)) === "permission_denied", {
        withinMs: DECISION_MS,
      });
      // It is of one direction.
      await say(bob, ann, "you cannot answer");
      await bob.request("block_user", { uid: ann.uid });
      expect(await bob.request("unblock_user", { uid: ann.uid })).toEqual({});
      await eventually("the end of the block", async () => (await attempt(ann, bob)) === "ok", {
        withinMs: DECISION_MS,
      });
      await bob.request("unblock_user", { uid: ann.uid });
      for (const uid of [bob.uid, "nobody-ever", "service|dealer", "no uid", ""]) {
        expect((await bob.refused("block_user", { uid })).code, uid).toBe("invalid_argument");
      }
    });

    it("of a blocked user are refused to services that speak for it, and blocks are theirs to set", async () => {
      await using crowd = new Crowd(topology);
      const [ann, bob] = [await crowd.connect(), await crowd.connect()];
      const [rpc, other] = [topology.rpcs[0] ?? "", topology.rpcs.at(-1) ?? ""].map((url) => new RpcClient(url));
      const asAnn = { uid: ann.uid, to_uid: bob.uid, message: "for ann" };
      await rpc?.call("RoomService/SendMessage", asAnn);
      await rpc?.call("RoomService/BlockUser", { uid: bob.uid, blocked_uid: ann.uid });
      expect((await rpc?.fails("RoomService/SendMessage", asAnn))?.code).toBe("permission_denied");
      await eventually("the block", async () => (await attempt(ann, bob)) === "permission_denied", {
        withinMs: DECISION_MS,
      });
      await rpc?.call("RoomService/SendMessage", { to_uid: bob.uid, message: "a service is not blocked" });
      await rpc?.call("RoomService/UnblockUser", { uid: bob.uid, blocked_uid: ann.uid });
      await eventually("the end of the block", async () => (await attempt(ann, bob)) === "ok", {
        withinMs: DECISION_MS,
      });
      await other?.call("RoomService/SendMessage", asAnn);
      expect((await rpc?.fails("RoomService/BlockUser", { uid: bob.uid, blocked_uid: "" }))?.code).toBe(
        "invalid_argument",
      );
    });

    it("begin ten conversations a minute at most, and go on in those that are", async () => {
      await using crowd = new Crowd(topology);
      const [ann, ...others] = await Promise.all(
        Array.from({ length: NEW_CONVERSATIONS + 2 }, (_, index) => crowd.connect({ edge: index })),
      );
      if (ann === undefined) throw new Error("nobody came");
      for (const other of others.slice(0, NEW_CONVERSATIONS)) await say(ann, other, "hello");
      const refusal = await ann.refused("send_message", { to_uid: others.at(-1)?.uid, message: "one too many" });
      expect(refusal).toMatchObject({ code: "rate_limited", retryable: true });
      expect(refusal.retry_after_ms).toBeGreaterThan(0);
      expect(refusal.retry_after_ms).toBeLessThanOrEqual(60_000);
      for (const other of others.slice(0, 2)) await say(ann, other, "how are you?");
      // Whoever answers begins nothing.
      for (const other of others.slice(0, 2)) await say(other, ann, "fine");
    });

    it("wait for a guest who was away", async () => {
      await using crowd = new Crowd(topology);
      const [ann, bob] = [await crowd.connect(), await crowd.connect()];
      await bob.request("ping");
      await bob.close();
      const { room_id: conversation } = await ann.request("send_message", { to_uid: bob.uid, message: "later" });
      const back = await crowd.resume(bob.welcome.session);
      expect(texts(await back.request("get_history", { room_id: conversation }))).toEqual(["later"]);
    });
  });
}

function say(from: TestClient, to: TestClient, message: string) {
  return from.request("send_message", { to_uid: to.uid, message });
}

/** Tries to write: `ok`, or why not. */
async function attempt(from: TestClient, to: TestClient): Promise<string> {
  try {
    await say(from, to, "anybody there?");
    return "ok";
  } catch (error) {
    if (error instanceof FrameError) return error.payload.code;
    throw error;
  }
}
