import { connectAll, type RawClient } from "../raw-client.ts";
import type { Server } from "../servers.ts";

/** How long reads took, in milliseconds. */
export interface Reads {
  readonly coldP50: number;
  readonly hotP50: number;
  /** A thousand clients, each resuming in its own room. */
  readonly resumeAllMs: number;
}

/** Fills `rooms` rooms with `perRoom` messages each, over the edge. */
export async function fill(server: Server, rooms: number, perRoom: number): Promise<void> {
  const lanes = 64;
  const clients = await connectAll(
    server.port,
    Array.from({ length: lanes }, () => ({ path: "/ws?room_id=", frames: 1 })),
  );
  await Promise.all(
    clients.map(async (client, lane) => {
      for (let room = lane; room < rooms; room += lanes) {
        await ask(client, "join_room", { room_id: `h-${room}` });
        await Promise.all(Array.from({ length: perRoom }, (_, count) => count)).then((counts) =>
          pipeline(client, room, counts),
        );
        await ask(client, "leave_room", { room_id: `h-${room}` });
      }
      client.close();
    }),
  );
}

/** Reads the latest 50 events of random rooms that no edge hosts (cold) and of one that it does (hot), then resumes everywhere. */
export async function reads(server: Server, rooms: number): Promise<Reads> {
  const [client] = await connectAll(server.port, [{ path: "/ws?room_id=", frames: 1 }]);
  if (!client) throw new Error("the client could not connect");
  const cold: number[] = [];
  for (let count = 0; count < 200; count++) {
    const room = `h-${Math.floor(Math.random() * rooms)}`;
    const at = performance.now();
    await ask(client, "join_room", { room_id: room, history: 50 });
    cold.push(performance.now() - at);
    await ask(client, "leave_room", { room_id: room });
  }
  await ask(client, "join_room", { room_id: "h-0", history: 50 });
  const hot: number[] = [];
  for (let count = 0; count < 500; count++) {
    const at = performance.now();
    await ask(client, "get_history", { room_id: "h-0", limit: 50 });
    hot.push(performance.now() - at);
  }
  const epoch = /"epoch":"([^"]+)"/.exec(await ask(client, "get_history", { room_id: "h-0", limit: 1 }))?.[1] ?? "";
  client.close();
  return { coldP50: median(cold), hotP50: median(hot), resumeAllMs: await resumeAll(server, rooms, epoch) };
}

async function resumeAll(server: Server, rooms: number, epoch: string): Promise<number> {
  const clients = await connectAll(
    server.port,
    Array.from({ length: 1_000 }, () => ({ path: "/ws?room_id=", frames: 1 })),
  );
  const at = performance.now();
  const answers = await Promise.all(
    clients.map((client, index) => {
      const room = `h-${(index * 7) % rooms}`;
      return ask(client, "get_history", { room_id: room, limit: 10 }).then(() =>
        ask(client, "join_room", { room_id: room, history: 10, since: { epoch, seq: 0 } }),
      );
    }),
  );
  const elapsed = performance.now() - at;
  for (const client of clients) client.close();
  if (!answers.every((answer) => answer.includes('"room_joined"'))) throw new Error("a client could not resume");
  return elapsed;
}

let lastId = 0;

async function ask(client: RawClient, type: string, payload: object): Promise<string> {
  const id = `q${++lastId}`;
  const answer = client.next((text) => text.includes(`"id":"${id}"`));
  client.send(JSON.stringify({ type, id, payload }));
  return await answer;
}

function pipeline(client: RawClient, room: number, counts: readonly number[]): Promise<void> {
  return new Promise((resolve) => {
    let acks = 0;
    client.onText = (text) => {
      if (!text.startsWith('{"type":"ack"') || ++acks < counts.length) return;
      client.onText = undefined;
      resolve();
    };
    const text = "x".repeat(100);
    for (const count of counts) {
      client.send(
        JSON.stringify({
          type: "send_message",
          id: `p${count}`,
          payload: { room_id: `h-${room}`, message: `${text}${count}` },
        }),
      );
    }
  });
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
