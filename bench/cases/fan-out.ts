import { setTimeout as pause } from "node:timers/promises";
import { connectAll, type RawClient } from "../raw-client.ts";
import type { Server } from "../servers.ts";

/** What a run of fan-out measured. */
export interface FanOut {
  readonly deliveriesPerSecond: number;
  /** CPU of the server per delivery, in microseconds. */
  readonly cpuMicros: number;
  /** Share of its core the load used: near 1 it would measure itself. */
  readonly loadCpu: number;
}

const SAMPLED = 16;
/** Everyone who is not sampled is read from in turns, this often: the kernel keeps what comes meanwhile. */
const TURN_MS = 10;
const TURNS = 10;

/** `inFlight` messages at a time to a room of `members`, for `seconds`: the next one is sent when all sampled members have one. */
export async function fanOut(server: Server, members: number, inFlight: number, seconds: number): Promise<FanOut> {
  const room = `fan-${members}-${inFlight}-${Date.now()}`;
  const clients = await connectAll(server.port, Array(members).fill(server.enter(room)));
  const [speaker] = await connectAll(server.port, [server.enter(room)]);
  if (!speaker) throw new Error("the speaker could not connect");
  const sampled = clients.filter((_, index) => index % Math.ceil(members / SAMPLED) === 0 || index === members - 1);
  const others = clients.filter((client) => !sampled.includes(client));
  for (const client of others) client.pause();
  const text = "x".repeat(200);
  let sent = 0;
  let running = true;
  const say = (): void => speaker.send(server.say(text, ++sent));
  const done = closedLoop(sampled, inFlight, say, () => running);
  const turns = readInTurns(others);
  await pause(500);
  const before = { at: performance.now(), sent, cpu: server.cpu(), own: process.cpuUsage() };
  await pause(seconds * 1_000);
  const elapsed = (performance.now() - before.at) / 1_000;
  const cpu = server.cpu() - before.cpu;
  const own = process.cpuUsage(before.own);
  const deliveries = (sent - before.sent) * members;
  running = false;
  await done;
  clearInterval(turns);
  for (const client of [...clients, speaker]) client.close();
  return {
    deliveriesPerSecond: deliveries / elapsed,
    cpuMicros: (cpu / deliveries) * 1e6,
    loadCpu: (own.user + own.system) / 1e6 / elapsed,
  };
}

/** Keeps `inFlight` messages on their way until `running` ends; resolves when the last one has arrived. */
function closedLoop(
  sampled: readonly RawClient[],
  inFlight: number,
  say: () => void,
  running: () => boolean,
): Promise<void> {
  return new Promise((resolve) => {
    let arrived = 0;
    let outstanding = inFlight;
    for (const client of sampled) {
      client.onText = (text) => {
        if (!text.includes("xxxxxxxx") || ++arrived % sampled.length !== 0) return;
        outstanding--;
        if (running()) {
          outstanding++;
          say();
        } else if (outstanding === 0) resolve();
      };
    }
    for (let index = 0; index < inFlight; index++) say();
  });
}

function readInTurns(clients: readonly RawClient[]): NodeJS.Timeout {
  let turn = 0;
  const slice = (which: number): readonly RawClient[] => clients.filter((_, index) => index % TURNS === which);
  const slices = Array.from({ length: TURNS }, (_, which) => slice(which));
  return setInterval(() => {
    for (const client of slices[turn] ?? []) client.pause();
    turn = (turn + 1) % TURNS;
    for (const client of slices[turn] ?? []) client.resume();
  }, TURN_MS);
}
