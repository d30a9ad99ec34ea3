import { createServer } from "node:http";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { RoomService } from "../../gen/baccarat/v1/room_service_pb.ts";

/** The least a unary Connect handler can do: it answers with what it was sent. */
const http = createServer(
  connectNodeAdapter({
    routes: (router) => {
      router.service(RoomService, {
        sendMessage: ({ roomId, message }) => ({ message: { roomId, message, seq: 1n, uid: "service:bench" } }),
      });
    },
  }),
);
http.listen(0, "127.0.0.1", () => {
  const address = http.address();
  if (typeof address === "object" && address) process.stdout.write(`port ${address.port}\n`);
});
