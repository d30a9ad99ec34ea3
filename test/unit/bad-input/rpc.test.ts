import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FIXED } from "../../../services/limits.ts";
import { METHODS } from "../../../services/room/rpc/methods.ts";
import { type RoomFixture, startRoom } from "../services/rpc/room-fixture.ts";
import { bearer, TOKENS } from "../services/rpc/rpc-fixture.ts";

const NOT_ROOMS: readonly string[] = [
  ...["", "*", ">", "a.>", "a b", "a\tb", "a\r\nPUB x 1\r\n\r\nb", "a\u0000b", "a/b", "../x", "%2e", "é", "e\u0301"],
  ...["\u{1f600}", "x".repeat(65), "x".repeat(5_000), "$SYS.x", "direct:", "direct:a", "direct:b:a", "direct:a:a"],
];
const NOT_UIDS: readonly string[] = ["", "a b", "a:b", "a/b", "*", ">", "a\r\nb", "é", "u".repeat(65)];

/** Every method that takes a room. */
const OF_ROOMS: readonly (readonly [method: string, rest: object])[] = [
  ["CreateRoom", {}],
  ["GetRoom", {}],
  ["DeleteRoom", {}],
  ["ListMembers", {}],
  ["KickMember", { uid: "ann" }],
  ["BanMember", { uid: "ann" }],
  ["UnbanMember", { uid: "ann" }],
  ["ListBans", {}],
  ["MuteMember", { uid: "ann" }],
  ["UnmuteMember", { uid: "ann" }],
  ["InviteMember", { uid: "ann" }],
  ["UninviteMember", { uid: "ann" }],
  ["SendMessage", { message: "hi" }],
  ["PublishEvent", { type: "a.b", data: {} }],
  ["ListMessages", {}],
  ["ListEvents", {}],
  ["DeleteMessage", { seq: "1" }],
];
/** Every method that takes a user. */
const OF_USERS = ["KickMember", "BanMember", "UnbanMember", "MuteMember", "UnmuteMember", "InviteMember"] as const;

/** Requests of SendMessage that are wrong as such: what is sent, and the HTTP status. */
const WRONG: readonly (readonly [name: string, body: string | Uint8Array, headers: Record<string, string>, number])[] =
  [
    ["no JSON", "hello", {}, 400],
    ["two values", "{}{}", {}, 400],
    ["half a value", '{"room_id":"a"', {}, 400],
    ["a trailing comma", '{"room_id":"a",}', {}, 400],
    ["NaN", '{"room_id":NaN}', {}, 400],
    ["a byte order mark twice", "\ufeff\ufeff{}", {}, 400],
    ["an array", "[]", {}, 400],
    ["null", "null", {}, 400],
    ["a string", '"x"', {}, 400],
    ["a room that is a number", '{"room_id":5}', {}, 400],
    ["a room that is an object", '{"room_id":{}}', {}, 400],
    ["a message that is an array", '{"room_id":"a","message":["x"]}', {}, 400],
    ["a lone surrogate", '{"room_id":"a","message":"\\ud800"}', {}, 400],
    ["nesting 30,000 deep", `{"x":${"[".repeat(30_000)}${"]".repeat(30_000)}}`, {}, 400],
    ["nothing", "", {}, 400],
    ["bytes that are no Protobuf", Buffer.from([0xff, 0xff, 0xff]), { "content-type": "application/proto" }, 400],
    ["a Protobuf that is cut", Buffer.from([0x0a, 0x05, 0x61]), { "content-type": "application/proto" }, 400],
    [
      "a Protobuf text of bad UTF-8",
      Buffer.from([0x0a, 0x02, 0xff, 0xfe]),
      { "content-type": "application/proto" },
      400,
    ],
    ["a form", "room_id=a", { "content-type": "application/x-www-form-urlencoded" }, 415],
    ["plain text", "{}", { "content-type": "text/plain" }, 415],
    ["another version of Connect", "{}", { "connect-protocol-version": "2" }, 400],
    ["a timeout that is none", "{}", { "connect-timeout-ms": "soon" }, 400],
    ["a negative timeout", "{}", { "connect-timeout-ms": "-1" }, 400],
    ["an unknown compression", "{}", { "content-encoding": "snappy" }, 501],
    ["gzip that is none", "{}", { "content-encoding": "gzip" }, 400],
    ["1 MiB and a byte", `{"x":"${"x".repeat(FIXED.rpcBytes - 7)}"}`, {}, 429],
    ["headers of 64 KiB", "{}", { "x-padding": "x".repeat(65_536) }, 431],
    ["a gzip bomb", gzipSync(Buffer.alloc(64 * FIXED.rpcBytes, "a")), { "content-encoding": "gzip" }, 429],
  ];

describe("bad RPCs", () => {
  let rpc: RoomFixture;
  let closed: RoomFixture;

  beforeAll(async () => {
    rpc = await startRoom();
    closed = await startRoom({ tokens: TOKENS });
  });
  afterAll(async () => {
    await rpc[Symbol.asyncDispose]();
    await closed[Symbol.asyncDispose]();
  });

  it.each(WRONG)("%s is refused, and the next call is served", async (_, body, headers, status) => {
    const url = `${rpc.url}/baccarat.v1.RoomService/SendMessage`;
    const all = { "content-type": "application/json", ...headers };
    const answer = await fetch(url, { method: "POST", headers: all, body: new Uint8Array(Buffer.from(body)) });
    expect(answer.status).toBe(status);
    expect((await rpc.post("RoomService/GetRoom", { room_id: "a" })).status).toBe(200);
  });

  it.each(OF_ROOMS)("%s takes no room id that is none", async (method, rest) => {
    for (const room_id of NOT_ROOMS) {
      const request = method === "CreateRoom" ? { room: { room_id } } : { room_id, ...rest };
      const { status, body } = await rpc.post(`RoomService/${method}`, request);
      expect([status, body.code], JSON.stringify(room_id.slice(0, 40))).toEqual([400, "invalid_argument"]);
    }
  });

  it.each(OF_USERS)("%s takes no uid that is none", async (method) => {
    for (const uid of NOT_UIDS) {
      const { body } = await rpc.post(`RoomService/${method}`, { room_id: "a", uid });
      expect(body.code, JSON.stringify(uid.slice(0, 40))).toBe("invalid_argument");
    }
  });

  it.each([
    ["DisconnectClients", {}],
    ["DisconnectClients", { uid: "a b" }],
    ["DisconnectClients", { uid: "ann", reason: "x".repeat(121) }],
    ["RevokeTokens", {}],
    ["RevokeTokens", { uid: "ann", token_id: "t" }],
    ["RevokeTokens", { uid: "a b" }],
    ["RevokeTokens", { token_id: "t".repeat(129) }],
    ["RevokeTokens", { token_id: "a\r\nb" }],
    ["RevokeTokens", { uid: "ann", reason: "x".repeat(257) }],
    ["BroadcastNotice", { message: "" }],
    ["BroadcastNotice", { message: "x".repeat(4_001) }],
    ["ListClients", { page_token: "made up" }],
    ["ListClients", { page_size: -1 }],
    ["ListAuditEvents", { page_token: "made up" }],
    ["DrainEdge", { edge_id: "nobody" }],
  ])("AdminService/%s of %j is invalid_argument", async (method, request) => {
    expect((await rpc.post(`AdminService/${method}`, request)).body.code).toBe("invalid_argument");
  });

  it.each([
    ["SendMessage", { message: "x".repeat(4_001) }, "invalid_argument"],
    ["SendMessage", { message: "" }, "invalid_argument"],
    ["SendMessage", { message: "hi", image_url: "javascript:alert(1)" }, "invalid_argument"],
    ["SendMessage", { message: "hi", image_url: `https://a/${"x".repeat(2_048)}` }, "invalid_argument"],
    ["SendMessage", { message: "hi", idempotency_key: "k".repeat(65) }, "invalid_argument"],
    ["PublishEvent", { type: "message", data: {} }, "invalid_argument"],
    ["PublishEvent", { type: "A.b", data: {} }, "invalid_argument"],
    ["PublishEvent", { type: `a.${"b".repeat(64)}`, data: {} }, "invalid_argument"],
    ["PublishEvent", { type: "a.b", data: { x: "x".repeat(FIXED.customEventBytes) } }, "invalid_argument"],
    ["ListMessages", { before_seq: "1", after_seq: "1" }, "invalid_argument"],
    ["ListMessages", { before_seq: "-1" }, "invalid_argument"],
    ["ListMessages", { before_seq: "9007199254740993" }, "invalid_argument"],
    ["ListMessages", { before_seq: 1.5 }, "invalid_argument"],
    ["DeleteMessage", { seq: "0" }, "not_found"],
    ["DeleteMessage", { seq: "18446744073709551616" }, "invalid_argument"],
    ["DeleteMessage", { seq: "5" }, "not_found"],
    ["KickMember", { uid: "nobody" }, "not_found"],
    ["UnbanMember", { uid: "nobody" }, "not_found"],
  ])("RoomService/%s of %j is %s", async (method, request, code) => {
    const { body } = await rpc.post(`RoomService/${method}`, { room_id: "a", ...request });
    expect(body.code, body.message).toBe(code);
  });

  it("what is exactly at a limit is taken", async () => {
    const metadata = Object.fromEntries(
      Array.from({ length: FIXED.metadataKeys }, (_, index) => [`${index}`.padEnd(64, "k"), "x".repeat(1_024)]),
    );
    const calls: readonly (readonly [string, object])[] = [
      ["RoomService/CreateRoom", { room: { room_id: "r".repeat(64), title: "t".repeat(128), metadata } }],
      [
        "RoomService/SendMessage",
        { room_id: "a", message: "\u{1f600}".repeat(4_000), idempotency_key: "k".repeat(64) },
      ],
      ["RoomService/SendMessage", { room_id: "a", image_url: `https://a/${"x".repeat(2_038)}` }],
      ["RoomService/PublishEvent", { room_id: "a", type: `a.${"b".repeat(62)}`, data: "x".repeat(32 * 1024 - 2) }],
      ["RoomService/BanMember", { room_id: "a", uid: "u".repeat(64), reason: "x".repeat(256) }],
      ["RoomService/ListMessages", { room_id: "a", before_seq: "9007199254740991", page_size: 1_000 }],
      ["AdminService/BroadcastNotice", { message: "x".repeat(4_000) }],
      ["AdminService/RevokeTokens", { token_id: "t".repeat(128), reason: "x".repeat(256) }],
    ];
    for (const [method, request] of calls) {
      const { status, body } = await rpc.post(method, request);
      expect(status, `${method}: ${body.message}`).toBe(200);
    }
    const padded = (padding: number) => ({ room_id: "a", unknown: "x".repeat(padding) });
    const mebibyte = padded(FIXED.rpcBytes - JSON.stringify(padded(0)).length);
    expect(JSON.stringify(mebibyte)).toHaveLength(FIXED.rpcBytes);
    expect((await rpc.post("RoomService/GetRoom", mebibyte)).status).toBe(200);
  });

  it("what is not known is 404, and what changes something is no GET", async () => {
    for (const path of ["RoomService/Nope", "NoService/GetRoom", "RoomService/getRoom", "RoomService/GetRoom/", ""]) {
      expect((await fetch(`${rpc.url}/baccarat.v1.${path}`, { method: "POST" })).status, path).toBe(404);
    }
    for (const method of ["CreateRoom", "SendMessage", "BanMember"]) {
      const query = "?encoding=json&connect=v1&message={}";
      expect((await fetch(`${rpc.url}/baccarat.v1.RoomService/${method}${query}`)).status, method).toBe(405);
    }
  });

  it.each(Object.keys(METHODS).filter((method) => METHODS[method]?.scope !== "open" && !METHODS[method]?.live))(
    "%s without a token is unauthenticated, before its request is read",
    async (method) => {
      const { status, body } = await closed.post(method.replace("baccarat.v1.", ""), "{bad");
      expect([status, body.code]).toEqual([401, "unauthenticated"]);
      const other = METHODS[method]?.scope === "edge" ? "ops" : "edge-1";
      const forbidden = await closed.post(method.replace("baccarat.v1.", ""), {}, { authorization: bearer(other) });
      expect(forbidden.status).toBe(403);
    },
  );
});
