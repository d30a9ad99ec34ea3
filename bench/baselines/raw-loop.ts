import type { Socket } from "node:net";
import { WebSocketServer } from "ws";
import { ack, newMessage, roomOf, type Said } from "./frames.ts";

/** A frame built once and written to each client's socket, at once: what Node can do without waiting for a second message. */
const rooms = new Map<string, Set<Socket>>();
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false, maxPayload: 65_536 });

server.on("connection", (client, request) => {
  const name = roomOf(request.url);
  const { socket } = request;
  const room = rooms.get(name) ?? new Set();
  rooms.set(name, room);
  room.add(socket);
  client.on("close", () => room.delete(socket));
  client.on("message", (data) => {
    const { id, payload } = JSON.parse(data.toString()) as Said;
    const bytes = textFrame(newMessage(name, payload.message, id));
    for (const member of room) member.write(bytes);
    socket.write(textFrame(ack(name, id)));
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
