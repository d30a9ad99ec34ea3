import { describe, expect, it } from "vitest";
import { Crowd, newRoom } from "../../support/crowd.ts";
import { OPCODE, RawSocket } from "../../support/raw-socket.ts";
import type { Topology } from "../../support/topology.ts";
import { HandshakeRefused } from "../../support/wire.ts";

/** Texts that are no frame. */
const NOT_FRAMES: readonly (readonly [name: string, text: string])[] = [
  ["nothing", ""],
  ["white space", "  "],
  ["no JSON", "hello"],
  ["two values", "{}{}"],
  ["a trailing comma", '{"type":"ping",}'],
  ["NaN", '{"type":"ping","payload":{"a":NaN}}'],
  ["a byte order mark", '\ufeff{"type":"ping","payload":{}}'],
  ["an array", '[{"type":"ping"}]'],
  ["null", "null"],
  ["a string", '"ping"'],
  ["no type", '{"payload":{}}'],
  ["a type that is a number", '{"type":5,"payload":{}}'],
  ["a payload that is an array", '{"type":"ping","payload":[]}'],
  ["a payload that is a string", '{"type":"ping","payload":"x"}'],
  ["an empty id", '{"type":"ping","id":"","payload":{}}'],
  ["an id of 65 characters", `{"type":"ping","id":"${"i".repeat(65)}","payload":{}}`],
  ["an id that is a number", '{"type":"ping","id":5,"payload":{}}'],
  ["nesting 5,000 deep", `{"type":"ping","payload":{"a":${"[".repeat(5_000)}${"]".repeat(5_000)}}}`],
  ["nesting 5,000 objects deep", `{"type":"ping","payload":${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}}`],
];

/** Room ids that are none. */
const NOT_ROOMS: readonly unknown[] = [
  "",
  "*",
  ">",
  "a.*x*",
  "a b",
  "a\tb",
  "a\r\nPUB x 1\r\n\r\nb",
  "a\u0000b",
  "a/b",
  "../x",
  "%2e",
  "é",
  "\u{1f600}",
  "\ud800",
  "r".repeat(65),
  "r".repeat(5_000),
  "direct:a",
  "direct:b:a",
  "direct:a:a",
  "direct:a:b:c",
  5,
  null,
  true,
  {},
  ["x"],
];

/** No input crashes a process, reaches another room or touches another's connection. */
export function badInput(topology: Topology): void {
  describe("bad input", { concurrent: true }, () => {
    it.each(NOT_FRAMES)("%s is answered by bad_frame, and the connection goes on", async (_, text) => {
      await using crowd = new Crowd(topology);
      const ann = await crowd.connect();
      ann.sendText(text);
      expect((await ann.next("error")).payload).toMatchObject({ code: "bad_frame", retryable: false });
      await ann.request("ping");
    });

    it("types of the server, of prototypes and of nobody are unknown_type", async () => {
      await using crowd = new Crowd(topology);
      const ann = await crowd.connect();
      for (const type of ["new_message", "ack", "constructor", "__proto__", "toString", "hasOwnProperty", "", "Ping"]) {
        const error = await ann.refused(type, {});
        expect(error, type).toMatchObject({ code: type === "" ? error.code : "unknown_type" });
      }
    });

    it("prototypes in a payload pollute nothing", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("proto");
      const ann = await crowd.join(room);
      ann.sendText(
        '{"type":"ping","id":"p","payload":{"__proto__":{"room_id":"x"},"constructor":{"prototype":{"y":1}}}}',
      );
      await ann.reply("p", "ping");
      ann.sendText(
        `{"type":"send_message","id":"q","payload":{"__proto__":{"message":"inherited"},"room_id":"${room}"}}`,
      );
      expect(await ann.reply("q", "send_message")).toMatchObject({ payload: { code: "invalid_argument" } });
    });

    it("room ids that are none are invalid_argument in every frame that has one", async () => {
      await using crowd = new Crowd(topology);
      const ann = await crowd.connect();
      for (const room of NOT_ROOMS) {
        for (const type of ["join_room", "change_room", "leave_room", "get_history", "get_members", "typing"]) {
          const { code } = await ann.refused(type, { room_id: room });
          expect(code, `${type} ${JSON.stringify(room)?.slice(0, 80)}`).toBe("invalid_argument");
        }
      }
      expect((await ann.refused("join_room", {})).code).toBe("invalid_argument");
    });

    it("lone surrogates are either refused or passed on as the replacement character", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("surrogate");
      const ann = await crowd.join(room);
      ann.sendText(`{"type":"send_message","id":"s","payload":{"room_id":"${room}","message":"a\\ud800b"}}`);
      const reply = await ann.reply("s", "send_message");
      if (reply.type === "error") expect(reply.payload).toMatchObject({ code: "invalid_argument" });
      else expect((await ann.next("new_message")).payload.message).toBe("a\ufffdb");
    });

    it("joins with impossible histories are invalid_argument", async () => {
      await using crowd = new Crowd(topology);
      const ann = await crowd.connect();
      for (const history of [301, -1, 1.5, "x", false, {}, 2 ** 40]) {
        expect((await ann.refused("join_room", { room_id: newRoom("h"), history })).code).toBe("invalid_argument");
      }
    });

    it.each([
      ["a message over the size limit", 1009, (raw: RawSocket) => raw.frame(OPCODE.text, "x".repeat(65_537))],
      ["a length of 2^62", 1009, (raw: RawSocket) => raw.write(Buffer.from([0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0]))],
      ["a binary message", 1003, (raw: RawSocket) => raw.frame(OPCODE.binary, "{}")],
      ["bad UTF-8", 1007, (raw: RawSocket) => raw.frame(OPCODE.text, Buffer.from([0xff, 0xfe]))],
      ["an encoded surrogate", 1007, (raw: RawSocket) => raw.frame(OPCODE.text, Buffer.from([0xed, 0xa0, 0x80]))],
      ["an unmasked frame", 1002, (raw: RawSocket) => raw.frame(OPCODE.text, "{}", { mask: false })],
      ["a reserved bit", 1002, (raw: RawSocket) => raw.frame(OPCODE.text, "{}", { rsv: 4 })],
      ["a reserved opcode", 1002, (raw: RawSocket) => raw.frame(3, "{}")],
      ["a continuation of nothing", 1002, (raw: RawSocket) => raw.frame(0, "{}")],
      ["a fragmented ping", 1002, (raw: RawSocket) => raw.frame(OPCODE.ping, "x", { fin: false })],
      ["a close code of nobody", 1002, (raw: RawSocket) => raw.frame(OPCODE.close, Buffer.from([0x03, 0xed]))],
    ])("%s closes its own connection with %i, and no other", async (_, code, send) => {
      await using crowd = new Crowd(topology);
      const witness = await crowd.connect();
      await using raw = await RawSocket.upgrade(topology.edges[0] ?? "");
      send(raw);
      expect(await raw.closeCode()).toBe(code);
      await raw.ended();
      await witness.request("ping");
    });

    it("a message of exactly the size limit is read", async () => {
      await using crowd = new Crowd(topology);
      const ann = await crowd.connect();
      const frame = (padding: string): string => JSON.stringify({ type: "ping", id: "big", payload: { padding } });
      ann.sendText(frame("x".repeat(65_536 - frame("").length)));
      expect(await ann.reply("big", "ping")).toMatchObject({ type: "pong" });
    });

    it("what is large is refused where it means something, and ignored where it does not", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("large");
      const ann = await crowd.join(room);
      const keys = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`k${index}`, index]));
      for (const payload of [keys, { list: Array.from({ length: 10_000 }, () => 1) }, { text: "x".repeat(60_000) }]) {
        await ann.request("ping", payload);
      }
      const text = "x".repeat(60_000);
      expect((await ann.refused("send_message", { room_id: room, message: text })).code).toBe("message_too_large");
      for (const field of ["from", "image_url", "client_msg_id", "to_uid"]) {
        const { code } = await ann.refused("send_message", { message: "x", [field]: text });
        expect(code, field).toBe("invalid_argument");
      }
    });

    it("more than 10 bad frames in 10 s end the connection with 4500", async () => {
      await using crowd = new Crowd(topology);
      const [ann, bob] = [await crowd.connect(), await crowd.connect()];
      for (let index = 0; index < 10; index++) ann.sendText("bad");
      await ann.request("ping");
      ann.sendText("bad");
      expect((await ann.closing()).code).toBe(4500);
      await bob.request("ping");
    });

    it.each(["//ws", "/ws/", "/ws//", "/WS", "/../ws", "/%77s", "/nothing", "http://127.0.0.1/ws", "*"])(
      "an upgrade of %s is no WebSocket",
      async (target) => {
        const edge = topology.edges[0] ?? "";
        await using raw = await RawSocket.connect(edge);
        expect(await raw.handshake(target, new URL(edge).host)).toMatch(/^HTTP\/1\.1 4\d\d/);
      },
    );

    it.each([
      "room_id=%zz",
      "room_id=a%20b",
      "room_id=%3E",
      "__proto__=x",
      "username=%00",
      `username=${"u".repeat(5_000)}`,
    ])("the query %s harms nobody", async (query) => {
      const edge = topology.edges[0] ?? "";
      await using crowd = new Crowd(topology);
      const witness = await crowd.connect();
      await using raw = await RawSocket.connect(edge);
      expect(await raw.handshake(`/ws?${query}`, new URL(edge).host)).toMatch(/^HTTP\/1\.1 (101|4\d\d)/);
      await witness.request("ping");
    });

    it("what is no HTTP at all ends with the connection", async () => {
      await using crowd = new Crowd(topology);
      const witness = await crowd.connect();
      for (const bytes of [
        "\u0016\u0003\u0001\u0002\u0000",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /ws HTTP/1.1\nHost: x\n\n\0",
      ]) {
        await using raw = await RawSocket.connect(topology.edges[0] ?? "");
        raw.write(bytes);
        await raw.ended();
      }
      await witness.request("ping");
    });

    it("HTTP/1.0, unknown subprotocols and foreign origins are refused", async () => {
      await using crowd = new Crowd(topology);
      const edge = topology.edges[0] ?? "";
      await using raw = await RawSocket.connect(edge);
      expect(await raw.handshake("/ws", new URL(edge).host, "HTTP/1.0")).toMatch(/^HTTP\/1\.1 4\d\d/);
      const refused = async (options: object): Promise<number> => {
        const error = await crowd.open(options).catch((reason: unknown) => reason);
        return error instanceof HandshakeRefused ? error.status : 101;
      };
      expect(await refused({ protocols: ["graphql-ws"] })).toBe(400);
      expect(await refused({ protocols: ["session.abc"] })).toBe(400);
      for (const origin of ["https://evil.example", "null", `${edge}.evil.example`, "http://127.0.0.1:1"]) {
        expect(await refused({ origin }), origin).toBe(403);
      }
      expect(await refused({ origin: edge })).toBe(101);
    });
  });
}
