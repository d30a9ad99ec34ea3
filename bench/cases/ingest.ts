import { setTimeout as pause } from "node:timers/promises";
import { connectAll, type RawClient } from "../raw-client.ts";
import type { Server } from "../servers.ts";

/** Acknowledged publishes per second of `clients` connections, each alone in its room with `inFlight` under way. */
export async function ingest(server: Server, clients: number, inFlight: number, seconds: number): Promise<number> {
  const entrances = Array.from({ length: clients }, (_, index) => server.enter(`ingest-${index}`));
  const connected = await connectAll(server.port, entrances);
  let acks = 0;
  let running = true;
  const text = "x".repeat(200);
  const talk = (client: RawClient): void => {
    let sent = 0;
    client.onText = (frame) => {
      if (!frame.startsWith('{"type":"ack"')) return;
      acks++;
      if (running) client.send(server.say(text, ++sent));
    };
    for (let index = 0; index < inFlight; index++) client.send(server.say(text, ++sent));
  };
  for (const client of connected) talk(client);
  await pause(500);
  const [from, at] = [acks, performance.now()];
  await pause(seconds * 1_000);
  const rate = (acks - from) / ((performance.now() - at) / 1_000);
  running = false;
  for (const client of connected) client.close();
  return rate;
}

/** Connections per second that are accepted and joined, `concurrent` at a time, in rooms of ten. */
export async function joins(server: Server, concurrent: number, seconds: number): Promise<number> {
  let joined = 0;
  const until = performance.now() + seconds * 1_000;
  const loop = async (lane: number): Promise<void> => {
    for (let count = 0; performance.now() < until; count++) {
      const [client] = await connectAll(server.port, [server.enter(`join-${lane}-${Math.floor(count / 10)}`)]);
      joined++;
      client?.close();
    }
  };
  const at = performance.now();
  await Promise.all(Array.from({ length: concurrent }, (_, lane) => loop(lane)));
  return joined / ((performance.now() - at) / 1_000);
}

/** Bytes of the server's memory per idle joined connection. */
export async function idle(server: Server, connections: number): Promise<number> {
  const before = server.rss();
  const entrances = Array.from({ length: connections }, (_, index) => server.enter(`idle-${index % 1_000}`));
  const clients = await connectAll(server.port, entrances);
  await pause(3_000);
  const bytes = (server.rss() - before) / connections;
  for (const client of clients) client.close();
  return bytes;
}
