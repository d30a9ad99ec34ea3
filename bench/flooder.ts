import { once } from "node:events";
import { createInterface } from "node:readline";
import { concurrently } from "./entrance.ts";
import { RawClient, textFrame } from "./raw-client.ts";

/**
 * A process that floods a server, so that whoever measures others' latency is not kept busy by it. Arguments: port and
 * number of connections. It says `ready`, waits for a line, sends as fast as the sockets take it, and says `over` once
 * all connections were ended.
 */
const [port = 0, connections = 0] = process.argv.slice(2).map(Number);
/** What one write holds: many small frames, as the worst client would. */
const FRAMES = 1_000;
/** A server that ends nobody is not flooded for longer, in milliseconds. */
const LONGEST_MS = 20_000;

const clients: RawClient[] = [];
await concurrently(32, Array(connections).fill("/ws?room_id=flood"), async (path) => {
  clients.push(await RawClient.connect(port, path));
});
const frames = Array.from({ length: FRAMES }, (_, index) =>
  textFrame(
    index % 2 === 0
      ? '{"type":"ping"}'
      : JSON.stringify({ type: "send_message", payload: { message: `flood ${index}` } }),
  ),
);
const bytes = Buffer.concat(frames);
process.stdout.write("ready\n");
await once(createInterface({ input: process.stdin }), "line");

await Promise.all(clients.map(flood));
process.stdout.write("over\n");
process.exit();

/** Resolves when the server has ended the connection, or did not for too long. */
function flood(client: RawClient): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const late = setTimeout(() => client.cut(), LONGEST_MS);
  client.onClose = () => {
    clearTimeout(late);
    resolve();
  };
  client.pour(bytes);
  return promise;
}
