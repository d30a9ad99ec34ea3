import { WebSocket, WebSocketServer } from "ws";
import { ack, newMessage, roomOf, type Said } from "./frames.ts";

/** What everyone writes first: one loop over the room's clients, one `send` each. Nothing is stored. */
const rooms = new Map<string, Set<WebSocket>>();
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false, maxPayload: 65_536 });

server.on("connection", (client, request) => {
  const name = roomOf(request.url);
  const room = rooms.get(name) ?? new Set();
  rooms.set(name, room);
  room.add(client);
  client.on("close", () => {
    if (room.delete(client) && room.size === 0) rooms.delete(name);
  });
  client.on("message", (data) => {
    const { id, payload } = JSON.parse(data.toString()) as Said;
    const text = newMessage(name, payload.message, id);
    for (const member of room) if (member.readyState === WebSocket.OPEN) member.send(text);
    client.send(ack(name, id));
  });
  client.send('{"type":"room_joined"}');
});
server.on("listening", () => {
  const address = server.address();
  if (typeof address === "object" && address) process.stdout.write(`port ${address.port}\n`);
});
