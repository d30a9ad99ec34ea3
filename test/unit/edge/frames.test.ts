import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseFrame } from "../../../edge/frames.ts";

const MAX_SEQ = Number.MAX_SAFE_INTEGER;
const LONG = "x".repeat(64);
const nested = (depth: number): string => `${"[".repeat(depth)}${"]".repeat(depth)}`;

/** What a frame is read as, without an id. */
const READ: readonly (readonly [string, unknown])[] = [
  ['{"type":"ping"}', { type: "ping" }],
  ['{"type":"ping","payload":{}}', { type: "ping" }],
  ['{"type":"ping","payload":{"seq":"not read"}}', { type: "ping" }],
  [' \n\t{"type":"ping"}\r\n', { type: "ping" }],
  ['{"type":"pong","type":"ping"}', { type: "ping" }],
  ['{"type":"ping","extra":{"a":[1]},"another":null}', { type: "ping" }],
  ['{"type":"ping","__proto__":{"payload":5}}', { type: "ping" }],
  ['{"type":"ping","constructor":{"prototype":{"a":1}},"toString":1}', { type: "ping" }],
  [`{"type":"ping","payload":{"a":${nested(30)}}}`, { type: "ping" }],
  ['{"type":"login"}', login({})],
  ['{"type":"login","payload":{"token":"abc"}}', login({ token: "abc" })],
  ['{"type":"login","payload":{"session":"abc"}}', login({ session: "abc" })],
  ['{"type":"login","payload":{"token":null,"session":"abc"}}', login({ session: "abc" })],
  ['{"type":"login","payload":{"token":"","session":""}}', login({})],
  [
    '{"type":"login","payload":{"token":"t","direct_since":{"epoch":"e","seq":7}}}',
    login({ token: "t", directSince: { epoch: "e", seq: 7 } }),
  ],
  [
    '{"type":"login","payload":{"directSince":{"epoch":"e","seq":"7"}}}',
    login({ directSince: { epoch: "e", seq: 7 } }),
  ],
  ['{"type":"join_room","payload":{"room_id":"general"}}', join({})],
  ['{"type":"join_room","payload":{"roomId":"general"}}', join({})],
  ['{"type":"join_room","payload":{"room_id":"general","roomId":"other"}}', join({})],
  ['{"type":"join_room","payload":{"room_id":null,"roomId":"general"}}', join({})],
  ['{"type":"change_room","payload":{"room_id":"general"}}', join({ type: "change_room" })],
  [`{"type":"join_room","payload":{"room_id":"${LONG}"}}`, join({ room: LONG })],
  ['{"type":"join_room","payload":{"room_id":"A.z_0:9@-"}}', join({ room: "A.z_0:9@-" })],
  ['{"type":"join_room","payload":{"room_id":".."}}', join({ room: ".." })],
  ['{"type":"join_room","payload":{"room_id":"direct:ann:bob"}}', join({ room: "direct:ann:bob" })],
  ['{"type":"join_room","payload":{"room_id":"general","history":0}}', join({ history: 0 })],
  ['{"type":"join_room","payload":{"room_id":"general","history":-0}}', join({ history: 0 })],
  ['{"type":"join_room","payload":{"room_id":"general","history":300}}', join({ history: 300 })],
  ['{"type":"join_room","payload":{"room_id":"general","history":"300"}}', join({ history: 300 })],
  ['{"type":"join_room","payload":{"room_id":"general","history":1e2}}', join({ history: 100 })],
  ['{"type":"join_room","payload":{"room_id":"general","history":null,"since":null}}', join({})],
  [
    '{"type":"join_room","payload":{"room_id":"general","since":{"epoch":"e1","seq":12}}}',
    join({ since: { epoch: "e1", seq: 12 } }),
  ],
  [
    '{"type":"join_room","payload":{"room_id":"general","since":{"epoch":"e1"}}}',
    join({ since: { epoch: "e1", seq: 0 } }),
  ],
  [
    `{"type":"join_room","payload":{"room_id":"general","since":{"epoch":"e1","seq":"${MAX_SEQ}"}}}`,
    join({ since: { epoch: "e1", seq: MAX_SEQ } }),
  ],
  ['{"type":"leave_room","payload":{"room_id":"general"}}', { type: "leave_room", room: "general" }],
  ['{"type":"send_message","payload":{"message":"hi"}}', send({ message: "hi" })],
  ['{"type":"send_message"}', send({})],
  ['{"type":"send_message","payload":{"message":"sdfsdf","from":"percy"}}', send({ message: "sdfsdf", from: "percy" })],
  [
    '{"type":"send_message","payload":{"message":"hi","room_id":"","to_uid":"","image_url":""}}',
    send({ message: "hi" }),
  ],
  ['{"type":"send_message","payload":{"message":"hi","room_id":"r"}}', send({ message: "hi", room: "r" })],
  ['{"type":"send_message","payload":{"message":"hi","to_uid":"bob|1"}}', send({ message: "hi", toUid: "bob|1" })],
  ['{"type":"send_message","payload":{"message":"hi","toUid":"bob"}}', send({ message: "hi", toUid: "bob" })],
  [
    '{"type":"send_message","payload":{"image_url":"https://a/b","client_msg_id":"k"}}',
    send({ imageUrl: "https://a/b", clientMsgId: "k" }),
  ],
  [
    '{"type":"send_message","payload":{"imageUrl":"https://a/b","clientMsgId":"k"}}',
    send({ imageUrl: "https://a/b", clientMsgId: "k" }),
  ],
  [
    '{"type":"send_message","payload":{"message":"hi","uid":"admin","seq":9,"role":"admin","sent":"x"}}',
    send({ message: "hi" }),
  ],
  [
    '{"type":"send_message","payload":{"message":"<script>\\u2028\\ud83c\\udf89"}}',
    send({ message: "<script>\u2028🎉" }),
  ],
  ['{"type":"send_message","payload":{"message":"hi","__proto__":{"from":"x"}}}', send({ message: "hi" })],
  ['{"type":"delete_message","payload":{"room_id":"r","seq":5}}', { type: "delete_message", room: "r", seq: 5 }],
  ['{"type":"delete_message","payload":{"room_id":"r","seq":"5"}}', { type: "delete_message", room: "r", seq: 5 }],
  ['{"type":"get_history","payload":{"room_id":"r"}}', history({ limit: 50 })],
  ['{"type":"get_history","payload":{"room_id":"r","limit":1}}', history({ limit: 1 })],
  ['{"type":"get_history","payload":{"room_id":"r","limit":300}}', history({ limit: 300 })],
  ['{"type":"get_history","payload":{"room_id":"r","before_seq":9}}', history({ limit: 50, before: 9 })],
  ['{"type":"get_history","payload":{"room_id":"r","before_seq":0}}', history({ limit: 50 })],
  ['{"type":"get_history","payload":{"room_id":"r","after_seq":0}}', history({ limit: 50, after: 0 })],
  ['{"type":"get_history","payload":{"room_id":"r","afterSeq":"12","limit":"7"}}', history({ limit: 7, after: 12 })],
  [
    '{"type":"get_history","payload":{"room_id":"r","after_seq":1,"before_seq":null}}',
    history({ limit: 50, after: 1 }),
  ],
  ['{"type":"get_members","payload":{"room_id":"r"}}', members({})],
  ['{"type":"get_members","payload":{"room_id":"r","page_size":1000}}', members({ pageSize: 1_000 })],
  [
    '{"type":"get_members","payload":{"roomId":"r","pageSize":2,"pageToken":"t"}}',
    members({ pageSize: 2, pageToken: "t" }),
  ],
  ['{"type":"typing","payload":{"room_id":"r"}}', { type: "typing", room: "r" }],
];

/** Frames that are none: the code, and the type of the request as far as it can be read. */
const REFUSED: readonly (readonly [string, string, string])[] = [
  ["", "bad_frame", ""],
  [" ", "bad_frame", ""],
  ["\ufeff{}", "bad_frame", ""],
  ["{", "bad_frame", ""],
  ["hello", "bad_frame", ""],
  ['{"type":"ping"}{}', "bad_frame", ""],
  ['{"type":"ping",}', "bad_frame", ""],
  ["{'type':'ping'}", "bad_frame", ""],
  ["NaN", "bad_frame", ""],
  ["null", "bad_frame", ""],
  ["true", "bad_frame", ""],
  ["5", "bad_frame", ""],
  ['"ping"', "bad_frame", ""],
  ["[]", "bad_frame", ""],
  ['[{"type":"ping"}]', "bad_frame", ""],
  ["{}", "bad_frame", ""],
  ['{"type":null}', "bad_frame", ""],
  ['{"type":5}', "bad_frame", ""],
  ['{"type":["ping"]}', "bad_frame", ""],
  ['{"type":""}', "bad_frame", ""],
  [`{"type":"${LONG}x"}`, "bad_frame", ""],
  ['{"type":"\\ud800"}', "bad_frame", ""],
  ['{"__proto__":{"type":"ping"}}', "bad_frame", ""],
  ['{"type":"ping","type":1}', "bad_frame", ""],
  ['{"type":"ping","id":5}', "bad_frame", "ping"],
  ['{"type":"ping","id":null}', "bad_frame", "ping"],
  ['{"type":"ping","id":""}', "bad_frame", "ping"],
  ['{"type":"ping","id":{}}', "bad_frame", "ping"],
  ['{"type":"ping","id":"\\udc00"}', "bad_frame", "ping"],
  [`{"type":"ping","id":"${LONG}x"}`, "bad_frame", "ping"],
  ['{"type":"ping","payload":null}', "bad_frame", "ping"],
  ['{"type":"ping","payload":[]}', "bad_frame", "ping"],
  ['{"type":"ping","payload":"x"}', "bad_frame", "ping"],
  ['{"type":"ping","payload":1}', "bad_frame", "ping"],
  [`{"type":"ping","payload":{"a":${nested(31)}}}`, "bad_frame", "ping"],
  [`{"type":"ping","extra":${nested(40)}}`, "bad_frame", "ping"],
  [`{"type":"ping","payload":{"a":${nested(32_000)}}}`, "bad_frame", "ping"],
  ['{"type":"nonsense"}', "unknown_type", "nonsense"],
  ['{"type":"Ping"}', "unknown_type", "Ping"],
  ['{"type":" ping"}', "unknown_type", " ping"],
  ['{"type":"constructor"}', "unknown_type", "constructor"],
  ['{"type":"__proto__"}', "unknown_type", "__proto__"],
  ['{"type":"toString"}', "unknown_type", "toString"],
  ['{"type":"hasOwnProperty"}', "unknown_type", "hasOwnProperty"],
  ['{"type":"error"}', "unknown_type", "error"],
  ['{"type":"ack"}', "unknown_type", "ack"],
  ['{"type":"new_message"}', "unknown_type", "new_message"],
  ['{"type":"member_joined"}', "unknown_type", "member_joined"],
  ['{"type":"table.result"}', "unknown_type", "table.result"],
  [`{"type":"${LONG}"}`, "unknown_type", LONG],
];

/** Payloads with something wrong: type of the frame, and the field at fault. */
const WRONG: readonly (readonly [string, string, string])[] = [
  ['{"type":"login","payload":{"token":"a","session":"b"}}', "login", "token"],
  ['{"type":"login","payload":{"token":5}}', "login", "token"],
  ['{"type":"login","payload":{"session":{}}}', "login", "session"],
  ['{"type":"login","payload":{"direct_since":5}}', "login", "direct_since"],
  ['{"type":"login","payload":{"direct_since":{"epoch":1}}}', "login", "direct_since.epoch"],
  ...badRooms("join_room"),
  ...badRooms("change_room"),
  ['{"type":"leave_room"}', "leave_room", "room_id"],
  ['{"type":"typing","payload":{}}', "typing", "room_id"],
  ['{"type":"get_members","payload":{"room_id":7}}', "get_members", "room_id"],
  ...[-1, 301, 1.5, "1e999", '"x"', '""', '" 5"', '"5.0"', '"0x5"', '"-1"', "true", "[]", "{}"].map((value) =>
    wrong("join_room", `"room_id":"r","history":${value}`, "history"),
  ),
  ...["[]", '"e:1"', "1", "true"].map((value) => wrong("join_room", `"room_id":"r","since":${value}`, "since")),
  ...["{}", '{"epoch":""}', '{"epoch":null}', '{"epoch":5}', `{"epoch":"${LONG}x"}`, '{"epoch":"\\udfff"}'].map(
    (value) => wrong("join_room", `"room_id":"r","since":${value}`, "since.epoch"),
  ),
  ...["-1", "1.5", "9007199254740992", "9007199254740993", '"9007199254740993"', "1e999", '"x"', "[]"].map((value) =>
    wrong("join_room", `"room_id":"r","since":{"epoch":"e","seq":${value}}`, "since.seq"),
  ),
  wrong("send_message", '"message":5', "message"),
  wrong("send_message", '"message":["a"]', "message"),
  wrong("send_message", '"message":"\\ud800"', "message"),
  wrong("send_message", '"message":"a\\udc00b"', "message"),
  wrong("send_message", '"message":"a","from":{}', "from"),
  wrong("send_message", '"message":"a","from":"\\ud83c"', "from"),
  wrong("send_message", '"message":"a","image_url":1', "image_url"),
  wrong("send_message", '"message":"a","client_msg_id":9', "client_msg_id"),
  wrong("send_message", '"message":"a","to_uid":"a b"', "to_uid"),
  wrong("send_message", '"message":"a","to_uid":"a:b"', "to_uid"),
  wrong("send_message", `"message":"a","to_uid":"${LONG}x"`, "to_uid"),
  wrong("send_message", '"message":"a","room_id":"a b"', "room_id"),
  wrong("send_message", '"message":"a","room_id":"r","to_uid":"bob"', "room_id"),
  wrong("delete_message", '"room_id":"r"', "seq"),
  wrong("delete_message", '"seq":1', "room_id"),
  wrong("delete_message", '"room_id":"r","seq":0', "seq"),
  wrong("delete_message", '"room_id":"r","seq":-5', "seq"),
  wrong("delete_message", '"room_id":"r","seq":"05"', "seq"),
  wrong("get_history", '"limit":5', "room_id"),
  ...["0", "301", "1000000000", "-1", "2.5", '"0"', '"many"'].map((value) =>
    wrong("get_history", `"room_id":"r","limit":${value}`, "limit"),
  ),
  wrong("get_history", '"room_id":"r","before_seq":5,"after_seq":1', "before_seq"),
  wrong("get_history", '"room_id":"r","before_seq":5,"afterSeq":0', "before_seq"),
  wrong("get_history", '"room_id":"r","before_seq":-1', "before_seq"),
  wrong("get_history", '"room_id":"r","after_seq":"1.0"', "after_seq"),
  wrong("get_members", '"room_id":"r","page_size":0', "page_size"),
  wrong("get_members", '"room_id":"r","page_size":1001', "page_size"),
  wrong("get_members", '"room_id":"r","page_token":5', "page_token"),
  wrong("get_members", `"room_id":"r","page_token":"${"x".repeat(1_025)}"`, "page_token"),
];

describe("parseFrame", () => {
  it("has a hundred rows and more", () => {
    expect(READ.length + REFUSED.length + WRONG.length).toBeGreaterThan(150);
  });

  it.each(READ)("reads %s", (text, expected) => {
    expect(parseFrame(text)).toEqual({ id: undefined, ...(expected as object) });
  });

  it.each(REFUSED)("refuses %s as %s", (text, code, requestType) => {
    expect(parseFrame(text)).toMatchObject({ type: "error", id: undefined, requestType, error: { reason: code } });
  });

  it.each(WRONG)("refuses the payload of %s and names the field", (text, requestType, field) => {
    const error = { reason: "invalid_argument", metadata: { field }, message: expect.stringContaining(field) };
    expect(parseFrame(text)).toMatchObject({ type: "error", id: undefined, requestType, error });
  });

  it.each([
    ['{"type":"ping","id":"7"}', "7"],
    [`{"type":"ping","id":"${"🎉".repeat(64)}"}`, "🎉".repeat(64)],
    ['{"id":"a","type":"nonsense"}', "a"],
    ['{"id":"a"}', "a"],
    ['{"id":"a","type":"ping","payload":[]}', "a"],
    ['{"id":"a","type":"join_room"}', "a"],
    [`{"id":"a","type":"ping","payload":{"a":${nested(40)}}}`, "a"],
  ])("keeps the id of %s", (text, id) => {
    expect(parseFrame(text).id).toBe(id);
  });

  it("does not pollute prototypes", () => {
    parseFrame('{"type":"join_room","__proto__":{"admin":true},"payload":{"__proto__":{"room_id":"x","admin":true}}}');
    expect(({} as Record<string, unknown>).admin).toBeUndefined();
  });

  it("takes any text without throwing", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => typeof parseFrame(text).type === "string"));
  });

  it("takes any JSON without throwing, and says what is wrong with it", () => {
    fc.assert(fc.property(fc.json({ maxDepth: 6 }), isAnswered));
  });

  it("takes any payload of any type without throwing", () => {
    const name = fc.constantFrom(...FIELD_NAMES);
    const value = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.string({ unit: "binary" }), fc.integer(), fc.double());
    const frame = fc.record({
      type: fc.constantFrom(...TYPES),
      payload: fc.dictionary(name, value),
    });
    fc.assert(fc.property(frame, (given) => isAnswered(JSON.stringify(given))));
  });

  it("reads back what a client wrote", () => {
    const text = fc.string({ unit: "binary" });
    const room = fc.stringMatching(/^[A-Za-z0-9_.@-]{1,64}$/);
    const given = fc.record({ id: fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }), message: text, room });
    fc.assert(
      fc.property(given, ({ id, message, room }) => {
        const frame = parseFrame(JSON.stringify({ type: "send_message", id, payload: { message, room_id: room } }));
        expect(frame).toEqual({ id, ...send({ message, room }) });
      }),
    );
  });
});

const TYPES = [
  "login",
  "join_room",
  "change_room",
  "leave_room",
  "send_message",
  "delete_message",
  "get_history",
  "get_members",
  "get_conversations",
  "block_user",
  "typing",
  "ping",
];
const FIELD_NAMES = [
  ...["room_id", "roomId", "since", "history", "seq", "limit", "before_seq", "afterSeq", "page_size", "page_token"],
  ...["message", "from", "to_uid", "image_url", "client_msg_id", "token", "session", "direct_since", "__proto__"],
];

function isAnswered(text: string): boolean {
  const frame = parseFrame(text);
  return frame.type === "error" ? frame.error.message !== "" : TYPES.includes(frame.type);
}

function login(fields: object): object {
  return { type: "login", token: "", session: "", directSince: undefined, ...fields };
}

function join(fields: object): object {
  return { type: "join_room", room: "general", since: undefined, history: 0, ...fields };
}

function send(fields: object): object {
  const empty = { message: "", imageUrl: "", from: "", clientMsgId: "" };
  return { type: "send_message", room: undefined, toUid: undefined, ...empty, ...fields };
}

function history(range: object): object {
  return { type: "get_history", room: "r", range };
}

function members(fields: object): object {
  return { type: "get_members", room: "r", pageSize: 100, pageToken: "", ...fields };
}

function wrong(type: string, payload: string, field: string): readonly [string, string, string] {
  return [`{"type":"${type}","payload":{${payload}}}`, type, field];
}

function badRooms(type: string): readonly (readonly [string, string, string])[] {
  const rooms = [
    ...["", "*", ">", "a.*x", "a.>", "$SYS.x", "$JS.API.STREAM.DELETE.x", "a b", "a\tb", "a\r\nPUB x 1", "a\0b"],
    ...[`${LONG}x`, "x".repeat(5_000), "é", "e\u0301", "../x", "%2e", "🎉", "\ud800", "a|b", "direct:", "direct:a"],
    ...["direct:bob:ann", "direct:ann:ann", "direct:ann:bob:eve", "direct:a b:c"],
  ];
  const values = [...rooms.map((room) => JSON.stringify(room)), "5", "null", "true", "[]", "{}", '["general"]'];
  return values.map((value) => wrong(type, `"room_id":${value}`, "room_id"));
}
