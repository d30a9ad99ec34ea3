import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { createConnection, type Socket } from "node:net";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { Listener, type ListenerOptions } from "../../../../services/room/rpc/listener.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const EMPTY_SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

describe("Listener", () => {
  it("serves HTTP/1.1 and HTTP/2 side by side on one port", async () => {
    await using listener = await open();
    const session = connectHttp2(`http://127.0.0.1:${listener.port}`);
    const answers = await Promise.all([
      fetch1(listener.port, "/a"),
      fetch2(session, "/b"),
      fetch1(listener.port, "/c"),
      fetch2(session, "/d"),
    ]);
    session.close();
    expect(answers).toEqual(["1.1 /a", "2.0 /b", "1.1 /c", "2.0 /d"]);
  });

  it("puts first bytes together however they are split", async () => {
    await using listener = await open();
    for (const cut of [1, 3, 14, 23]) {
      const socket = await dial(listener.port);
      await write(socket, PREFACE.slice(0, cut));
      await write(socket, PREFACE.slice(cut));
      socket.write(EMPTY_SETTINGS);
      const [first] = (await once(socket, "data")) as [Buffer];
      expect(first[3], `frame type after a cut at ${cut}`).toBe(4);
      socket.destroy();
    }
    const socket = await dial(listener.port);
    await write(socket, "P");
    await write(socket, "OST /split HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    expect(await readAll(socket)).toMatch(/^HTTP\/1.1 200 OK.*1\.1 \/split$/s);
  });

  it.each([
    ["garbage", Buffer.from([0, 255, 1, 254, 13, 10, 13, 10])],
    ["a TLS ClientHello", Buffer.from("16030100c8010000c40303", "hex")],
    ["a broken preface", Buffer.from("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")],
  ])("answers %s with 400", async (_, bytes) => {
    await using listener = await open();
    const socket = await dial(listener.port);
    socket.write(bytes);
    expect(await readAll(socket)).toMatch(/^HTTP\/1.1 400 /);
    expect(await fetch1(listener.port, "/after")).toBe("1.1 /after");
  });

  it("closes a connection that says nothing, or never enough", async () => {
    await using listener = await open({ timings: { headersMs: 50 } });
    const silent = await dial(listener.port);
    const stuck = await dial(listener.port);
    await write(stuck, "PRI * HT");
    const slow = await dial(listener.port);
    await write(slow, "GET / HTTP/1.1\r\nhost: x\r\nx-");
    expect(await Promise.all([silent, stuck].map(readAll))).toEqual(["", ""]);
    expect(await readAll(slow)).toMatch(/^HTTP\/1.1 408 /);
  });

  it("closes an HTTP/1.1 request whose body does not end", async () => {
    await using listener = await open({ timings: { headersMs: 50, requestMs: 100 }, onRequest: () => undefined });
    const socket = await dial(listener.port);
    await write(socket, "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12345");
    expect(await readAll(socket)).toMatch(/^HTTP\/1.1 408 /);
  });

  it("survives peers that reset or end at any time", async () => {
    await using listener = await open();
    for (const bytes of ["", "PRI", PREFACE, "GET / HTTP/1.1\r\n"]) {
      for (const leave of ["resetAndDestroy", "end"] as const) {
        const socket = await dial(listener.port);
        if (bytes) await write(socket, bytes);
        const closed = once(socket, "close");
        socket.resume()[leave]();
        await closed;
      }
    }
    expect(await fetch1(listener.port, "/after")).toBe("1.1 /after");
  });

  it("closes HTTP/2 connections that stop answering pings, and only those", async () => {
    await using listener = await open({ timings: { pingMs: 250 } });
    const mute = await dial(listener.port);
    await write(mute, PREFACE);
    mute.write(EMPTY_SETTINGS);
    const session = connectHttp2(`http://127.0.0.1:${listener.port}`);
    await readAll(mute);
    expect(await fetch2(session, "/alive")).toBe("2.0 /alive");
    session.close();
  });

  it("sends an HTTP/2 client away that resets streams without end, and serves others", async () => {
    let handled = 0;
    await using listener = await open({
      onRequest: (_, response) => {
        handled++;
        response.end("ok");
      },
    });
    const flood = connectHttp2(`http://127.0.0.1:${listener.port}`);
    flood.on("error", () => undefined);
    const { promise: closed, resolve: close } = Promise.withResolvers<void>();
    flood.on("close", close);
    const timer = setInterval(() => {
      for (let count = 0; count < 100 && !flood.destroyed && !flood.closed; count++) {
        const stream = flood.request({ ":path": "/", ":method": "POST" });
        stream.on("error", () => undefined);
        stream.close(8);
      }
    }, 1);
    await closed;
    clearInterval(timer);
    expect(handled).toBeLessThan(5_000);
    expect(await fetch1(listener.port, "/")).toBe("ok");
  });

  it("finishes requests under way, refuses new ones, and cuts off what outlives the deadline", async () => {
    const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    let waiting = 0;
    await using listener = await open({
      onRequest: (request, response) => {
        if (request.url === "/never") return;
        if (++waiting === 2) arrive();
        released.then(() => response.end(`done ${request.url}`));
      },
    });
    const session = connectHttp2(`http://127.0.0.1:${listener.port}`);
    session.on("error", () => undefined);
    const idle = await dial(listener.port);
    const idleClosed = readAll(idle);
    const finishing = [fetch1(listener.port, "/one"), fetch2(session, "/two")];
    const cut = fetch1(listener.port, "/never");
    const cutOff = expect(cut).rejects.toThrow();
    await arrived;

    const closed = listener.close(200);
    await idleClosed;
    await expect(dial(listener.port)).rejects.toThrow(/ECONNREFUSED/);
    release();
    expect(await Promise.all(finishing)).toEqual(["done /one", "done /two"]);
    await cutOff;
    await closed;
    expect(listener.close(200)).toBe(listener.close(0));
  });

  it("refuses connections above its limit, and says so", async () => {
    const lines: string[] = [];
    const log = pino({ level: "warn" }, { write: (line) => lines.push(line) });
    await using listener = await open({ maxConnections: 1, log });
    const first = await dial(listener.port);
    const surplus = [await dial(listener.port), await dial(listener.port)];
    await Promise.all(surplus.map((socket) => new Promise((resolve) => socket.on("close", resolve).resume())));
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(["too many RPC connections"]);
    first.destroy();
  });

  it("says why it cannot listen", async () => {
    await using listener = await open();
    await expect(open({ port: listener.port })).rejects.toThrow(/EADDRINUSE/);
  });
});

type Opened = { readonly port: number; close(deadlineMs: number): Promise<void> } & AsyncDisposable;

async function open(options: Partial<ListenerOptions> = {}): Promise<Opened> {
  const listener = await Listener.open({
    host: "127.0.0.1",
    port: 0,
    onRequest: (request, response) => {
      request.resume();
      response.end(`${request.httpVersion} ${request.url}`);
    },
    log: pino({ level: "silent" }),
    ...options,
  });
  const { port } = listener;
  return {
    port,
    close: (deadlineMs) => listener.close(deadlineMs),
    [Symbol.asyncDispose]: () => listener.close(0),
  };
}

async function fetch1(port: number, path: string): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}${path}`)).text();
}

async function fetch2(session: ReturnType<typeof connectHttp2>, path: string): Promise<string> {
  const stream = session.request({ ":path": path });
  return Buffer.concat(await stream.toArray()).toString();
}

async function dial(port: number): Promise<Socket> {
  const socket = createConnection({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  return socket;
}

/** Resolves when the bytes have left; on loopback they are then in the peer's buffer, as a packet of their own. */
function write(socket: Socket, data: string): Promise<void> {
  return new Promise((resolve, reject) => socket.write(data, (error) => (error ? reject(error) : resolve())));
}

/** Everything the peer sends until it closes. */
async function readAll(socket: Socket): Promise<string> {
  return Buffer.concat(await socket.toArray()).toString();
}
