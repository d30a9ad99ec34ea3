import { once } from "node:events";
import { describe, expect, it } from "vitest";
import type { ClientSocketOwner } from "../../../edge/client-socket.ts";
import { eventually } from "../../support/eventually.ts";
import { connectPair } from "./socket-pair.ts";

/** Writes down what it hears. */
class Owner implements ClientSocketOwner {
  readonly heard: string[] = [];
  onMessage(data: unknown, isBinary: boolean): void {
    this.heard.push(`${isBinary ? "bytes" : "text"} ${data}`);
  }
  onClosing(): void {
    this.heard.push("closing");
  }
  onControlFlood(): void {
    this.heard.push("flood");
  }
  onPong(): void {
    this.heard.push("pong");
  }
  onGone(code: number): void {
    this.heard.push(`gone ${code}`);
  }
}

describe("a client's socket", () => {
  it("tells its owner everything, in order, and whoever counts it that it is gone", async () => {
    const { client, webSocket } = await connectPair();
    const owner = new Owner();
    const left = (network: string) => owner.heard.push(`one less from ${network}`);
    webSocket.count({ left, onProtocolError: (error) => owner.heard.push(error.message) }, "127.0.0.1");
    webSocket.tell(owner);
    client.send("hello");
    client.ping();
    client.pong();
    client.send(Buffer.from("hello"));
    client.close(4_999);
    await eventually("the end", () => owner.heard.at(-1)?.startsWith("gone"));
    expect(owner.heard).toEqual([
      "text hello",
      "pong",
      "bytes hello",
      "closing",
      "one less from 127.0.0.1",
      "gone 4999",
    ]);
  });

  it("has listeners of its own for what no owner is told", async () => {
    const { client, webSocket } = await connectPair();
    webSocket.tell(new Owner());
    expect(webSocket.eventNames()).toEqual([]);
    const heard: unknown[] = [];
    const listener = (value: unknown) => heard.push(value);
    webSocket.on("upgrade", listener);
    expect([webSocket.emit("upgrade", 1), webSocket.emit("redirect", 2)]).toEqual([true, false]);
    webSocket.off("upgrade", listener);
    expect([webSocket.emit("upgrade", 3), heard]).toEqual([false, [1]]);
    client.terminate();
  });

  it("that nobody counts tells its owner that it is gone, too", async () => {
    const { client, webSocket } = await connectPair();
    const owner = new Owner();
    webSocket.tell(owner);
    client.terminate();
    await eventually("the end", () => owner.heard.length > 0);
    expect(owner.heard).toEqual(["gone 1006"]);
  });

  it("tells its owner before it sends a Close frame itself", async () => {
    const { client, webSocket, closed } = await connectPair();
    const owner = new Owner();
    webSocket.tell(owner);
    webSocket.close(4_001);
    expect(owner.heard).toEqual(["closing"]);
    expect(await closed).toBe(4_001);
    client.terminate();
  });

  it("tells whoever counts it what the client broke, and then its owner that it is gone", async () => {
    const { client, webSocket } = await connectPair();
    const owner = new Owner();
    const onProtocolError = (error: Error) => owner.heard.push(error.message);
    webSocket.count({ left: () => owner.heard.push("one less"), onProtocolError }, "127.0.0.1");
    webSocket.tell(owner);
    const { _socket } = client as unknown as { _socket: { write(bytes: Buffer): void } };
    _socket.write(Buffer.from([0x81, 0x00])); // a client must mask its frames
    await eventually("the end", () => owner.heard.at(-1)?.startsWith("gone"));
    expect(owner.heard).toEqual(["closing", "Invalid WebSocket frame: MASK must be set", "one less", "gone 1006"]);
  });

  it("needs no listener, which each connection would have to keep", async () => {
    const { webSocket } = await connectPair();
    webSocket.count({ left: () => undefined, onProtocolError: () => undefined }, "127.0.0.1");
    webSocket.tell(new Owner());
    expect(["message", "ping", "pong", "close", "error"].map((event) => webSocket.listenerCount(event))).toEqual([
      0, 0, 0, 0, 0,
    ]);
  });

  it("tells listeners what nobody is told", async () => {
    const { client, webSocket } = await connectPair();
    const message = once(webSocket, "message");
    client.send("hello");
    expect(String((await message)[0])).toBe("hello");
  });
});
