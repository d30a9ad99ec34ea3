import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLog } from "../../../../services/log.ts";
import { edgeTransport } from "../../../../services/room/rpc/edge-transport.ts";
import { EdgeStream } from "./edge-stream.ts";
import { type RoomFixture, startRoom } from "./room-fixture.ts";
import { bearer, errorInfo, type JsonBody, readJson, TOKENS } from "./rpc-fixture.ts";

let rpc: RoomFixture;
beforeAll(async () => {
  rpc = await startRoom({ tokens: TOKENS });
});
afterAll(() => rpc[Symbol.asyncDispose]());

/** Calls a method that must succeed. */
async function call(method: string, request: object = {}, as = "ops"): Promise<JsonBody> {
  const { status, body } = await rpc.post(`RoomService/${method}`, request, { authorization: bearer(as) });
  if (status !== 200) throw new Error(`${method} failed: ${JSON.stringify(body)}`);
  return body;
}

/** Calls a method that must fail, and tells how it did. */
async function fails(method: string, request: object, as = "ops"): Promise<unknown> {
  const { status, body } = await rpc.post(`RoomService/${method}`, request, { authorization: bearer(as) });
  if (status === 200) throw new Error(`${method} succeeded: ${JSON.stringify(body)}`);
  return { code: body.code, ...errorInfo(body) };
}

const messagesOf = (body: JsonBody) =>
  body.messages as { message: string; seq: string; message_id: string; uid: string }[];

const seqOf = (stored: unknown) => (stored as { seq: string }).seq;

/** Requests that are right but for one id, or a number. */
const IDS: readonly [method: string, field: string, request: object][] = [
  ["CreateRoom", "room.room_id", { room: { room_id: "a b" } }],
  ["CreateRoom", "room", {}],
  ["GetRoom", "room_id", { room_id: "*" }],
  ["GetRoom", "room_id", {}],
  ["UpdateRoom", "room.room_id", { room: { room_id: ">" } }],
  ["DeleteRoom", "room_id", { room_id: "a/b" }],
  ["ListMembers", "room_id", { room_id: "direct:b:a" }],
  ["KickMember", "room_id", { room_id: "", uid: "a" }],
  ["KickMember", "uid", { room_id: "a", uid: "*" }],
  ["SendMessage", "room_id", { room_id: "a b", message: "x" }],
  ["SendMessage", "to_uid", { to_uid: "a b", message: "x" }],
  ["SendMessage", "uid", { room_id: "a", uid: "a:b", message: "x" }],
  ["PublishEvent", "room_id", { room_id: " ", type: "a.b" }],
  ["ListMessages", "room_id", { room_id: "\u0000" }],
  ["ListEvents", "room_id", { room_id: "x".repeat(65) }],
  ["DeleteMessage", "room_id", { room_id: "ä", seq: 1 }],
  ["DeleteMessage", "seq", { room_id: "a", seq: "9007199254740992" }],
  ["ListMessages", "before_seq", { room_id: "a", before_seq: "9007199254740992" }],
  ["ListEvents", "after_seq", { room_id: "a", after_seq: "18446744073709551615" }],
  ["ListRooms", "page_size", { page_size: -1 }],
  ["ListMembers", "page_size", { room_id: "a", page_size: -1 }],
  ["ListMessages", "page_size", { room_id: "a", page_size: -1 }],
  ["ListEvents", "page_size", { room_id: "a", page_size: -1 }],
  ["ListRooms", "page_token", { page_token: "AAAA" }],
  ["ListMessages", "page_token", { room_id: "a", page_token: "AAAA" }],
];

describe("RoomService", () => {
  it.each(IDS)("%s refuses a wrong %s: %j", async (method, field, request) => {
    expect(await fails(method, request)).toMatchObject({
      code: "invalid_argument",
      reason: "ERROR_REASON_INVALID_ARGUMENT",
      metadata: { field },
    });
  });

  it.each([
    ["SendMessage", { room_id: "a", message: "x".repeat(4_001) }, "MESSAGE_TOO_LARGE"],
    ["SendMessage", { room_id: "a", to_uid: "b", message: "x" }, "INVALID_ARGUMENT"],
    ["SendMessage", { message: "x" }, "INVALID_ARGUMENT"],
    ["SendMessage", { room_id: "a" }, "INVALID_ARGUMENT"],
    ["PublishEvent", { room_id: "a", type: "new_message" }, "INVALID_ARGUMENT"],
    ["PublishEvent", { room_id: "a", type: "a.b", data: "x".repeat(32 * 1024) }, "MESSAGE_TOO_LARGE"],
    ["UpdateRoom", { room: { room_id: "a" }, update_mask: "nope" }, "INVALID_ARGUMENT"],
    ["KickMember", { room_id: "a", uid: "nobody" }, "NOT_FOUND"],
    ["DeleteMessage", { room_id: "a", seq: 1_000_000 }, "NOT_FOUND"],
  ])("%s refuses %j", async (method, request, reason) => {
    expect(await fails(method, request)).toMatchObject({ reason: `ERROR_REASON_${reason}` });
  });

  it("creates, reads, changes, lists and deletes rooms", async () => {
    const asked = { room_id: "settings-1", title: "One", capacity: 5, metadata: { game: "baccarat" } };
    const { room } = await call("CreateRoom", { room: asked });
    expect(room).toMatchObject({ ...asked, member_count: 0, create_time: expect.stringMatching(/^20\d\d-.*Z$/) });
    expect(await fails("CreateRoom", { room: asked })).toMatchObject({
      code: "already_exists",
      reason: "ERROR_REASON_ALREADY_EXISTS",
    });
    expect((await call("GetRoom", { roomId: "settings-1" }, "reader")).room).toEqual(room);
    const changed = await call("UpdateRoom", {
      room: { roomId: "settings-1", slowModeMs: 500 },
      updateMask: "slowModeMs",
    });
    expect(changed.room).toMatchObject({ title: "One", slow_mode_ms: 500 });

    await call("CreateRoom", { room: { room_id: "settings-2" } });
    const first = await call("ListRooms", { prefix: "settings-", page_size: 1 });
    const second = await call("ListRooms", { prefix: "settings-", page_size: 1, page_token: first.next_page_token });
    expect(
      [first, second].map(({ rooms }) => (rooms as { room_id: string }[]).map((listed) => listed.room_id)),
    ).toEqual([["settings-1"], ["settings-2"]]);
    expect(second.next_page_token).toBe("");

    await call("DeleteRoom", { room_id: "settings-1" });
    expect(await fails("GetRoom", { room_id: "settings-1" })).toMatchObject({ reason: "ERROR_REASON_ROOM_NOT_FOUND" });
  });

  it("sends as the service, once for each key, and as a user for admins only", async () => {
    const request = { room_id: "send", message: "rien ne va plus", idempotency_key: "k1" };
    const sent = await call("SendMessage", request, "dealer");
    expect(sent.message).toMatchObject({
      room_id: "send",
      uid: "service:dealer",
      username: "dealer",
      message: "rien ne va plus",
      message_id: expect.stringMatching(/^.+-\d+$/),
      seq: expect.stringMatching(/^\d+$/),
    });
    expect(sent.duplicate).toBe(false);
    const again = await call("SendMessage", request, "dealer");
    expect(again).toMatchObject({ duplicate: true, message: { seq: seqOf(sent.message) } });

    expect(await fails("SendMessage", { ...request, uid: "percy" }, "dealer")).toMatchObject({
      reason: "ERROR_REASON_PERMISSION_DENIED",
    });
    const asPercy = await call("SendMessage", { ...request, uid: "percy", username: "Percy" });
    expect(asPercy.message).toMatchObject({ uid: "percy", username: "Percy" });
  });

  it("counts what it stores, and not what callers got wrong", async () => {
    const counted = async (): Promise<Record<string, number>> => {
      const { text } = await rpc.metrics.render();
      const rows = text.matchAll(/^baccarat_publishes_total\{outcome="(\w+)"\} (\d+)$/gm);
      return Object.fromEntries([...rows].map(([, outcome, count]) => [outcome, Number(count)]));
    };
    const before = await counted();
    const said = { room_id: "counted", message: "hello", idempotency_key: "once" };
    for (const _ of ["first", "again"]) await call("SendMessage", said);
    await call("PublishEvent", { room_id: "counted", type: "table.result", data: { a: 1 } });
    await fails("SendMessage", { room_id: "counted", message: "" });
    const added = Object.entries(await counted()).map(([outcome, count]) => [outcome, count - (before[outcome] ?? 0)]);
    expect(Object.fromEntries(added)).toEqual({ ok: 2, duplicate: 1 });
  });

  it("reads history in both directions, by POST and GET", async () => {
    for (const text of ["one", "two", "three", "four", "five"])
      await call("SendMessage", { room_id: "log", message: text });
    await call("PublishEvent", { room_id: "log", type: "table.result", data: { winner: "banker", cards: [9, 8] } });

    const latest = await call("ListMessages", { roomId: "log", pageSize: 2 }, "reader");
    expect(messagesOf(latest).map(({ message }) => message)).toEqual(["four", "five"]);
    const older = await call("ListMessages", { roomId: "log", pageSize: 2, pageToken: latest.next_page_token });
    expect(messagesOf(older).map(({ message }) => message)).toEqual(["two", "three"]);
    const [two] = messagesOf(older);
    const newer = await call("ListMessages", { room_id: "log", after_seq: two?.seq, page_size: 2 });
    expect(messagesOf(newer).map(({ message }) => message)).toEqual(["three", "four"]);
    expect(newer.epoch).toBe(rpc.broker.epoch);

    const query = new URLSearchParams({ encoding: "json", message: JSON.stringify({ roomId: "log", pageSize: 2 }) });
    const got = await fetch(`${rpc.url}/baccarat.v1.RoomService/ListMessages?${query}`, {
      headers: { authorization: bearer("reader") },
    });
    expect((await readJson(got)).body).toEqual(latest);

    const { events } = await call("ListEvents", { room_id: "log", page_size: 1 });
    expect(events).toEqual([
      expect.objectContaining({
        room_id: "log",
        custom_event: {
          type: "table.result",
          data_json: '{"winner":"banker","cards":[9,8]}',
          by_uid: "service:ops",
          snapshot_key: "",
        },
      }),
    ]);
  });

  it("refuses page tokens of another list", async () => {
    await call("SendMessage", { room_id: "tokens", message: "one" });
    await call("SendMessage", { room_id: "tokens", message: "two" });
    const { next_page_token } = await call("ListMessages", { room_id: "tokens", page_size: 1 });
    for (const request of [
      { room_id: "log", page_token: next_page_token },
      { room_id: "tokens", after_seq: 1, page_token: next_page_token },
    ]) {
      expect(await fails("ListMessages", request)).toMatchObject({ metadata: { field: "page_token" } });
    }
  });

  it("deletes messages", async () => {
    const { message } = await call("SendMessage", { room_id: "delete", message: "oops" });
    const seq = seqOf(message);
    const { event } = await call("DeleteMessage", { room_id: "delete", seq });
    expect(event).toMatchObject({ deletion: { deleted_seq: seq, by_uid: "service:ops" } });
    expect(messagesOf(await call("ListMessages", { room_id: "delete" }))).toEqual([]);
    expect((await call("DeleteMessage", { room_id: "delete", seq })).event).toMatchObject({
      seq: seqOf(event),
    });
  });

  it("does not mind event data that is odd, and does not change it", async () => {
    const data = '{"__proto__":{"admin":true},"constructor":1,"toString":null,"":[]}';
    await call("PublishEvent", JSON.parse(`{"room_id":"odd","type":"a.b","data":${data}}`));
    const { events } = await call("ListEvents", { room_id: "odd" });
    const [{ custom_event }] = events as [{ custom_event: { data_json: string } }];
    expect(custom_event.data_json).toBe(data);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
    const deep = `{"room_id":"odd","type":"a.b","data":${"[".repeat(16_000)}${"]".repeat(16_000)}}`;
    const { status } = await rpc.post("RoomService/PublishEvent", deep, { authorization: bearer("ops") });
    expect([200, 400]).toContain(status);
  });

  it("lists members and takes them out", async () => {
    const observer = { onCall: () => undefined };
    const transport = edgeTransport(rpc.controlPlane, { observer, log: createLog({ level: "silent" }) });
    await using edge = await EdgeStream.attach(transport, rpc.broker, "edge-1");
    await edge.join("percy", "c1", "table");
    await edge.join("quinn", "c2", "table");
    const page = await call("ListMembers", { room_id: "table", page_size: 1 }, "reader");
    expect(page).toMatchObject({ count: 2, members: [{ uid: "percy", username: "percy" }] });
    await call("KickMember", { room_id: "table", uid: "percy", reason: "rude" });
    expect(await edge.hears("evicted")).toMatchObject({
      clientId: "c1",
      roomId: "table",
      reason: "rude",
      by: "service:ops",
    });
    expect((await call("ListMembers", { room_id: "table" })).count).toBe(1);
    expect((await call("GetRoom", { room_id: "table" })).room).toMatchObject({ member_count: 1 });
  });
});
