import { WebSocketServer } from "ws";

/** Connections and nothing else. */
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false, maxPayload: 65_536 });

server.on("listening", () => {
  const address = server.address();
  if (typeof address === "object" && address) process.stdout.write(`port ${address.port}\n`);
});
