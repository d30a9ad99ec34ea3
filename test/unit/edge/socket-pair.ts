import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { onTestFinished } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { ClientSocket } from "../../../edge/client-socket.ts";

/** Both ends of one WebSocket over real TCP. */
export interface SocketPair {
  /** The server's end, and the socket below it. */
  readonly webSocket: ClientSocket;
  readonly socket: Socket;
  readonly client: WebSocket;
  /** Texts the client received. */
  readonly received: string[];
  /** Close code the client saw; settles when it is closed. */
  readonly closed: Promise<number>;
}

/** Connects a WebSocket, cut off after the test. */
export async function connectPair(): Promise<SocketPair> {
  const server = createServer();
  const upgrades = new WebSocketServer({
    noServer: true,
    WebSocket: ClientSocket,
    clientTracking: false,
    perMessageDeflate: false,
  });
  const accepted = Promise.withResolvers<{ webSocket: ClientSocket; socket: Socket }>();
  server.on("upgrade", (request, _duplex, head) => {
    const { socket } = request;
    upgrades.handleUpgrade(request, socket, head, (webSocket) => accepted.resolve({ webSocket, socket }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const received: string[] = [];
  client.on("message", (data) => received.push(String(data)));
  const closed = once(client, "close").then(([code]) => code as number);
  await once(client, "open");
  const pair = { ...(await accepted.promise), client, received, closed };
  onTestFinished(() => {
    client.terminate();
    pair.webSocket.terminate();
    server.close();
  });
  return pair;
}
