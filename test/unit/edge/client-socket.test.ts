import { once } from "node:events";
import { describe, expect, it } from "vitest";
import type { ClientSocket, ClientSocketOwner } from "../../../edge/client-socket.ts";
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

const listeners = (webSocket: ClientSocket) =>
  ["message", "ping", "pong", "close"].map((event) => webSocket.listeners(event).at(-1));

describe("a client's socket", () => {
  it("tells its owner everything, in order, and whoever counts it that it is gone", async () => {
    const { client, webSocket } = await connectPair();
    const owner = new Owner();
    webSocket.count({ left: (network) => owner.heard.push(`one less from ${network}`) }, "127.0.0.1");
    webSocket.tell(owner);
    client.send("hello");
    client.ping();
    client.pong();
    client.send(Buffer.from("hello"));
    client.close(4_999);
    await once(webSocket, "close");
    expect(owner.heard).toEqual([
      "text hello",
      "pong",
      "bytes hello",
      "closing",
      "one less from 127.0.0.1",
      "gone 4999",
    ]);
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

  it("has the same listeners as every other", async () => {
    const [one, other] = [await connectPair(), await connectPair()];
    one.webSocket.tell(new Owner());
    other.webSocket.tell(new Owner());
    expect(listeners(one.webSocket)).toEqual(listeners(other.webSocket));
  });
});
