import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { RawClient } from "../../../bench/raw-client.ts";
import { eventually } from "../../support/eventually.ts";

describe("the load's client", () => {
  let server: WebSocketServer;
  let port: number;

  beforeAll(async () => {
    server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => server.close());

  async function connect(): Promise<{ client: RawClient; peer: WebSocket }> {
    const [client, [peer]] = await Promise.all([
      RawClient.connect(port, "/"),
      once(server, "connection") as Promise<[WebSocket]>,
    ]);
    return { client, peer };
  }

  it("sends several frames at once, whatever their length", async () => {
    const { client, peer } = await connect();
    const texts = ["", "short", "x".repeat(125), "y".repeat(126), "ä€😀".repeat(5_000)];
    const heard: string[] = [];
    const all = new Promise<void>((resolve) => {
      peer.on("message", (data) => heard.push(data.toString()) === texts.length && resolve());
    });
    client.send(...texts);
    await all;
    expect(heard).toEqual(texts);
    client.close();
  });

  it("reads frames that come in pieces, and those that it only counts", async () => {
    const { client, peer } = await connect();
    const texts = Array.from({ length: 50 }, (_, index) => `${index} ${"z".repeat(index * 500)}`);
    for (const text of texts) peer.send(text);
    await client.next((text) => text === texts.at(-1));
    expect(client.frames).toBe(texts.length);
    client.close();
  });

  it("reads nothing while paused, and then everything", async () => {
    const { client, peer } = await connect();
    client.pause();
    const ponged = once(peer, "pong");
    for (let index = 0; index < 2_000; index++) peer.send("w".repeat(100));
    await new Promise((resolve) => peer.ping(undefined, undefined, resolve));
    expect(client.frames).toBe(0);
    await eventually("all frames", () => {
      client.readOnce();
      return client.frames === 2_000;
    });
    await ponged;
    client.close();
  });

  it("tells why it was ended", async () => {
    const { client, peer } = await connect();
    const code = new Promise<number>((resolve) => {
      client.onClose = resolve;
    });
    peer.close(4_004);
    expect(await code).toBe(4_004);
  });

  it("says goodbye", async () => {
    const { client, peer } = await connect();
    const closed = once(peer, "close");
    client.close();
    expect((await closed)[0]).toBe(1_000);
  });

  it("says what an upgrade was answered by when it was refused", async () => {
    await expect(RawClient.connect(port, "/ x")).rejects.toThrow("the upgrade was answered by HTTP/1.1 400");
  });
});
