import { once } from "node:events";
import { createInterface } from "node:readline";
import { concurrently } from "./entrance.ts";
import { RawClient, textFrame } from "./raw-client.ts";

/**
 * A process that floods a server, so that whoever measures others' latency is not kept busy by it. Arguments: port and
 * number of connections. It says `ready`, waits for a line, sends as fast as the sockets take it, and says at last how
 * many connections were ended by which code.
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

const codes = new Map<string, number>();
const count = (code: string): void => {
  codes.set(code, (codes.get(code) ?? 0) + 1);
};
await Promise.all(clients.map(flood));
process.stdout.write(`${JSON.stringify(Object.fromEntries(codes))}\n`);
process.exit();

function flood(client: RawClient): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const late = setTimeout(() => {
    count("none");
    client.onClose = undefined;
    client.cut();
    resolve();
  }, LONGEST_MS);
  client.onClose = (code) => {
    clearTimeout(late);
    count(`${code}`);
    resolve();
  };
  client.pour(bytes);
  return promise;
}
