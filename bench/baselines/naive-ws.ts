import { WebSocket, WebSocketServer } from "ws";
import { newMessage, roomOf } from "./frames.ts";

/** What everyone writes first: one loop over the room's clients, one `send` each. */
const rooms = new Map<string, Set<WebSocket>>();
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false, maxPayload: 65_536 });

server.on("connection", (client, request) => {
  const name = roomOf(request.url);
  const room = rooms.get(name) ?? new Set();
  rooms.set(name, room);
  room.add(client);
  client.on("close", () => room.delete(client));
  client.on("message", (data) => {
    const frame = JSON.parse(data.toString()) as { id: string; payload: { message: string } };
    const text = newMessage(name, frame.payload.message);
    for (const member of room) if (member.readyState === WebSocket.OPEN) member.send(text);
    client.send(JSON.stringify({ type: "ack", id: frame.id, payload: {} }));
  });
  client.send('{"type":"room_joined"}');
});
server.on("listening", () => {
  const address = server.address();
  if (typeof address === "object" && address) process.stdout.write(`port ${address.port}\n`);
});
