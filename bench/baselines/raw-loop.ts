import type { Socket } from "node:net";
import { WebSocketServer } from "ws";
import { newMessage, roomOf } from "./frames.ts";

/** A frame built once and written to each client's socket, at once: what Node can do without waiting for a second message. */
const rooms = new Map<string, Set<Socket>>();
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false, maxPayload: 65_536 });

server.on("connection", (client, request) => {
  const name = roomOf(request.url);
  const room = rooms.get(name) ?? new Set();
  rooms.set(name, room);
  room.add(request.socket);
  client.on("close", () => room.delete(request.socket));
  client.on("message", (data) => {
    const frame = JSON.parse(data.toString()) as { id: string; payload: { message: string } };
    const bytes = textFrame(newMessage(name, frame.payload.message));
    for (const socket of room) socket.write(bytes);
    request.socket.write(textFrame(JSON.stringify({ type: "ack", id: frame.id, payload: {} })));
  });
  client.send('{"type":"room_joined"}');
});
server.on("listening", () => {
  const address = server.address();
  if (typeof address === "object" && address) process.stdout.write(`port ${address.port}\n`);
});

function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const head = payload.length < 126 ? Buffer.from([0x81, payload.length]) : Buffer.from([0x81, 126, 0, 0]);
  if (payload.length >= 126) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
}
