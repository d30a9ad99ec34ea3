import { createServer } from "node:http";
import { Server } from "socket.io";
import { newMessage, roomOf } from "./frames.ts";

/** Socket.IO as its documentation shows it: one `emit` to the room, one acknowledgement. */
const http = createServer();
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false });

io.on("connection", (socket) => {
  const room = roomOf(socket.request.url);
  socket.join(room);
  socket.on("say", (message: string, acknowledge: () => void) => {
    io.to(room).emit("new_message", JSON.parse(newMessage(room, message, "1")).payload);
    acknowledge();
  });
});
http.listen(0, "127.0.0.1", () => {
  const address = http.address();
  if (typeof address === "object" && address) process.stdout.write(`port ${address.port}\n`);
});
