import { describe, expect, it } from "vitest";
import { Crowd, newRoom, seqsSeen } from "../../support/crowd.ts";
import { RpcClient } from "../../support/rpc.ts";
import type { Topology } from "../../support/topology.ts";

interface MessageJson {
  readonly room_id: string;
  readonly message_id: string;
  readonly seq: string;
  readonly uid: string;
  readonly message: string;
}

interface Sent {
  readonly message: MessageJson;
  readonly duplicate?: boolean;
}

interface EventJson {
  readonly seq: string;
  readonly message?: { readonly message: string };
  readonly deletion?: { readonly deleted_seq: string; readonly by_uid: string };
  readonly custom_event?: { readonly type: string; readonly data_json: string };
}

/** Messages and events of services: the same log, in the same order, as over WebSocket. */
export function rpcMessages(topology: Topology): void {
  const rpc = () => new RpcClient(topology.rpcs[0] ?? "");

  describe("messages over RPC", { concurrent: true }, () => {
    it("are the same events in the same order as those over WebSocket", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("both");
      const [ann, bob] = [await crowd.join(room_id), await crowd.join(room_id)];
      const seqs: number[] = [];
      for (let index = 0; index < 5; index++) {
        const { message } = await rpc().call<Sent>("RoomService/SendMessage", { room_id, message: `service ${index}` });
        expect(message.uid).toMatch(/^service:/);
        seqs.push(Number(message.seq), (await ann.say(room_id, `member ${index}`)).seq);
      }
      await bob.next("new_message", (message) => message.seq === seqs.at(-1));
      expect(seqsSeen(bob, room_id)).toEqual(seqs);
      const { messages } = await rpc().get<{ messages: MessageJson[] }>("RoomService/ListMessages", { room_id });
      expect(messages.map((message) => Number(message.seq))).toEqual(seqs);
      const pushed = bob.all("new_message").map((frame) => frame.payload);
      expect(messages.map((message) => [message.message_id, message.uid, message.message])).toEqual(
        pushed.map((message) => [message.message_id, message.uid, message.message]),
      );
    });

    it("are stored once under an idempotency key", async () => {
      const room_id = newRoom("idempotent");
      const send = (message: string) =>
        rpc().call<Sent>("RoomService/SendMessage", { room_id, message, idempotency_key: "key" });
      const first = await send("hello");
      expect(await send("hello")).toMatchObject({
        duplicate: true,
        message: { seq: first.message.seq, message_id: first.message.message_id },
      });
      expect((await send("other")).message.seq).not.toBe(first.message.seq);
    });

    it("go to a user, and are answered like any direct message", async () => {
      await using crowd = new Crowd(topology);
      const ann = await crowd.connect();
      const { message } = await rpc().call<Sent>("RoomService/SendMessage", { to_uid: ann.uid, message: "your table" });
      const { payload } = await ann.next("new_message");
      expect(payload).toMatchObject({ message: "your table", to_uid: ann.uid, seq: Number(message.seq) });
      expect(payload.room_id).toBe(message.room_id);
      expect(payload.room_id).toMatch(/^direct:/);
    });

    it("may be said in a user's name by an administrator", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("as");
      const ann = await crowd.join(room_id);
      await rpc().call("RoomService/SendMessage", { room_id, message: "hi", uid: "bob", username: "Bob" });
      expect((await ann.next("new_message")).payload).toMatchObject({ uid: "bob", username: "Bob", message: "hi" });
    });

    it("custom events are frames of their own type, and part of the log", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("events");
      const ann = await crowd.join(room_id);
      const data = { winner: "banker", score: [7, 5], nested: { deep: null, text: "\u2028<b>" } };
      await ann.say(room_id, "before");
      const { event } = await rpc().call<{ event: EventJson }>("RoomService/PublishEvent", {
        room_id,
        type: "table.result",
        data,
        idempotency_key: "round-1",
      });
      const again = await rpc().call<{ event: EventJson; duplicate: boolean }>("RoomService/PublishEvent", {
        room_id,
        type: "table.result",
        data,
        idempotency_key: "round-1",
      });
      expect(again).toMatchObject({ duplicate: true, event: { seq: event.seq } });
      await ann.say(room_id, "after");
      expect((await ann.next("table.result")).payload).toEqual({
        room_id,
        seq: Number(event.seq),
        prev_seq: expect.any(Number),
        sent: expect.any(String),
        data,
      });
      const { events } = await rpc().get<{ events: EventJson[] }>("RoomService/ListEvents", { room_id });
      expect(events.map((item) => item.message?.message ?? item.custom_event?.type)).toEqual([
        "before",
        "table.result",
        "after",
      ]);
      const { messages } = await rpc().get<{ messages: MessageJson[] }>("RoomService/ListMessages", { room_id });
      expect(messages.map((message) => message.message)).toEqual(["before", "after"]);
      for (const type of ["new_message", "result", "Table.result", "a.b".padEnd(65, "b"), ""]) {
        expect(await rpc().fails("RoomService/PublishEvent", { room_id, type, data })).toMatchObject({ status: 400 });
      }
      const big = { room_id, type: "a.b", data: "x".repeat(32 * 1024) };
      expect(await rpc().fails("RoomService/PublishEvent", big)).toMatchObject({
        status: 400,
        reason: "ERROR_REASON_MESSAGE_TOO_LARGE",
      });
    });

    it("are read in pages, backward and forward", async () => {
      const room_id = newRoom("read");
      const seqs: string[] = [];
      for (let index = 0; index < 7; index++) {
        const { message } = await rpc().call<Sent>("RoomService/SendMessage", { room_id, message: `${index}` });
        seqs.push(message.seq);
      }
      const read = async (range: object): Promise<string[][]> => {
        const pages: string[][] = [];
        let page_token = "";
        do {
          const page = await rpc().call<{ messages?: MessageJson[]; next_page_token?: string }>(
            "RoomService/ListMessages",
            { roomId: room_id, pageSize: 3, pageToken: page_token, ...range },
          );
          if (page.messages) pages.push(page.messages.map((message) => message.message));
          page_token = page.next_page_token ?? "";
        } while (page_token !== "");
        return pages;
      };
      expect(await read({})).toEqual([["4", "5", "6"], ["1", "2", "3"], ["0"]]);
      expect(await read({ before_seq: seqs[4] })).toEqual([["1", "2", "3"], ["0"]]);
      expect(await read({ after_seq: seqs[1] })).toEqual([
        ["2", "3", "4"],
        ["5", "6"],
      ]);
      expect(
        await rpc().fails("RoomService/ListMessages", { room_id, before_seq: seqs[1], after_seq: seqs[1] }),
      ).toMatchObject({ status: 400 });
    });

    it("are deleted for everyone", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("delete");
      const ann = await crowd.join(room_id);
      const { seq } = await ann.say(room_id, "rude");
      await rpc().call("RoomService/DeleteMessage", { room_id, seq });
      expect((await ann.next("message_deleted")).payload).toMatchObject({
        deleted_seq: seq,
        by_uid: expect.stringMatching(/^service:/),
      });
      const page = await rpc().get<{ messages?: MessageJson[] }>("RoomService/ListMessages", { room_id });
      expect(page.messages ?? []).toEqual([]);
      expect(await rpc().fails("RoomService/DeleteMessage", { room_id, seq: seq + 1_000_000 })).toMatchObject({
        status: 404,
        code: "not_found",
      });
    });

    it("are refused when they are nothing, too long or addressed to no room", async () => {
      const room_id = newRoom("refused");
      for (const request of [
        { room_id },
        { message: "x" },
        { room_id, to_uid: "bob", message: "x" },
        { room_id: "no id", message: "x" },
        { room_id, message: "x".repeat(4_001) },
        { room_id, message: "x", idempotency_key: "k".repeat(65) },
        { to_uid: `nobody-${crypto.randomUUID()}`, message: "x" },
      ]) {
        const failure = await rpc().fails("RoomService/SendMessage", request);
        expect(failure, JSON.stringify(request).slice(0, 100)).toMatchObject({ status: 400, code: "invalid_argument" });
      }
    });
  });
}
