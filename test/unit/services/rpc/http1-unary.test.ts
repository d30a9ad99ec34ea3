import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { RoomService } from "../../../../gen/baccarat/v1/room_service_pb.ts";
import { FIXED } from "../../../../services/limits.ts";
import { eventually } from "../../../support/eventually.ts";
import { type RpcFixture, startRpc } from "./rpc-fixture.ts";

const PATH = "/baccarat.v1.RoomService/SendMessage";
const METHOD = PATH.slice(1);

/** Answers with what it was sent. */
const echo = (): Promise<RpcFixture> =>
  startRpc((router) => {
    router.service(RoomService, { sendMessage: ({ roomId, message }) => ({ message: { roomId, message } }) });
  });

const head = (headers: string): string =>
  `POST ${PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n${headers}\r\n`;

/** A connection on which bytes are sent as they are. */
async function open(rpc: RpcFixture) {
  const socket = connect(rpc.port, "127.0.0.1");
  await once(socket, "connect");
  let heard = "";
  socket.setEncoding("utf8").on("data", (text: string) => {
    heard += text;
  });
  return { socket, heard: () => heard };
}

describe("unary calls over HTTP/1.1", () => {
  it("are answered one after the other on a connection, in any script and size", async () => {
    await using rpc = await echo();
    for (const message of ["hello", "ж 你 👋\u2028", "x".repeat(100_000), "👋".repeat(20_000), "again"]) {
      const { status, body } = await rpc.post("RoomService/SendMessage", { room_id: "r", message });
      expect({ status, body }).toMatchObject({ status: 200, body: { message: { message } } });
    }
    expect(new Set(rpc.calls.map(({ code }) => code))).toEqual(new Set(["ok"]));
  });

  it("may come in pieces, chunked or not", async () => {
    await using rpc = await echo();
    const body = JSON.stringify({ room_id: "r", message: "in pieces" });
    const half = body.length / 2;
    const { socket, heard } = await open(rpc);
    socket.write(head(`Content-Length: ${body.length}\r\n`));
    socket.write(body.slice(0, half));
    await new Promise((resolve) => setImmediate(resolve));
    socket.write(body.slice(half));
    await eventually("the first answer", () => heard().split("in pieces").length === 2);
    socket.write(`${head("Transfer-Encoding: chunked\r\n")}${body.length.toString(16)}\r\n${body}\r\n`);
    await new Promise((resolve) => setImmediate(resolve));
    socket.write("0\r\n\r\n");
    await eventually("the second answer", () => heard().split("in pieces").length === 3);
    socket.destroy();
  });

  it("are refused when they are too large, whatever they say of their size", async () => {
    await using rpc = await echo();
    const { status, body } = await rpc.post("RoomService/SendMessage", { message: "x".repeat(FIXED.rpcBytes) });
    expect({ status, code: body.code }).toEqual({ status: 429, code: "resource_exhausted" });
    const { socket } = await open(rpc);
    socket.on("error", () => undefined); // it is cut off in the middle
    const piece = "x".repeat(65_536);
    socket.write(head("Transfer-Encoding: chunked\r\n"));
    for (let sent = 0; sent <= FIXED.rpcBytes; sent += piece.length) socket.write(`10000\r\n${piece}\r\n`);
    await eventually("the second refusal", () => rpc.calls.length === 2);
    expect(rpc.calls.map(({ code }) => code)).toEqual(["resource_exhausted", "resource_exhausted"]);
    socket.destroy();
  });

  it("end with their caller, and the implementation is told", async () => {
    const begun = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    await using rpc = await startRpc((router) => {
      router.service(RoomService, {
        sendMessage: (_, { signal }) => {
          signal.addEventListener("abort", () => ended.resolve());
          begun.resolve();
          return new Promise<never>(() => undefined);
        },
      });
    });
    const { socket } = await open(rpc);
    socket.write(`${head("Content-Length: 2\r\n")}{}`);
    await begun.promise;
    socket.destroy();
    await ended.promise;
    expect(rpc.calls).toEqual([{ method: METHOD, code: "canceled" }]);
  });
});
