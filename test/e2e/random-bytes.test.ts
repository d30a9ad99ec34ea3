import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Crowd, newRoom } from "../support/crowd.ts";
import { eventually } from "../support/eventually.ts";
import { COLLECTS_GARBAGE, ProductProcess } from "../support/process.ts";
import { OPCODE } from "../support/raw-socket.ts";
import { RpcClient } from "../support/rpc.ts";
import { NO_TRAFFIC_LIMITS } from "../support/topology.ts";

const SOAK_MS = process.env.TEST_FULL === "1" ? 60_000 : 5_000;
const AT_ONCE = 8;
const MAX_GROWTH_BYTES = 64 * 1024 * 1024;
/** A listener that does not like what it hears may leave it at that for a while. */
const PATIENCE_MS = 100;

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const UPGRADE = [
  "GET /ws?room_id= HTTP/1.1",
  "Host: 127.0.0.1",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "\r\n",
].join("\r\n");
const POST = [
  "POST /baccarat.v1.RoomService/SendMessage HTTP/1.1",
  "Host: 127.0.0.1",
  "Content-Type: application/json",
  "Content-Length: 500",
  "\r\n",
].join("\r\n");
const FRAME = '{"type":"send_message","id":"x","payload":{"room_id":"a","message":"hi","to_uid":null}}';

/** Seeded: the same run makes the same bytes (mulberry32). */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  bytes(most: number): Buffer {
    return Buffer.from(Array.from({ length: 1 + this.below(most) }, () => this.below(256)));
  }

  /** The text with some bytes replaced, left out or put in. */
  mutated(text: string): Buffer {
    let bytes = Buffer.from(text);
    for (let count = 1 + this.below(4); count > 0; count--) {
      const at = this.below(bytes.length);
      const kept = bytes.subarray(at + this.below(2));
      bytes = Buffer.concat([bytes.subarray(0, at), this.below(2) === 0 ? Buffer.of() : this.bytes(3), kept]);
    }
    return bytes;
  }
}

/** What a connection to either listener says. */
const SPEECHES: readonly ((random: Random) => Buffer[])[] = [
  (random) => [random.bytes(2_000)],
  (random) => [random.mutated(UPGRADE)],
  (random) => [random.mutated(POST), random.bytes(600)],
  (random) => [Buffer.from(POST), random.mutated(FRAME.padEnd(500))],
  (random) => [Buffer.from(PREFACE), random.bytes(1_000)],
  (random) => [Buffer.from(UPGRADE), random.bytes(1_000)],
  (random) => [Buffer.from(UPGRADE), ...Array.from({ length: 5 }, () => masked(random.mutated(FRAME)))],
  (random) => [Buffer.from(UPGRADE), masked(random.bytes(100)), random.bytes(20)],
];

describe("random bytes", () => {
  let directory: string;
  let product: ProductProcess;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "baccarat-bytes-"));
    product = await ProductProcess.start({ env: { ...NO_TRAFFIC_LIMITS, ...COLLECTS_GARBAGE, DATA_DIR: directory } });
  });
  afterAll(async () => {
    expect(await product.stop()).toMatchObject({ code: 0 });
    expect(product.complaints()).toEqual([]);
    await rm(directory, { recursive: true, force: true });
  });

  it(`for ${SOAK_MS / 1_000} s neither end the process nor disturb another client nor stay in memory`, async () => {
    const { edge = "", rpc = "" } = product.addresses;
    await using crowd = new Crowd({ edges: [edge] });
    const room = newRoom("soak");
    const [ann, bob] = [await crowd.join(room), await crowd.join(room)];
    const ports = [edge, rpc].map((url) => Number(new URL(url).port));
    const seed = Number(process.env.TEST_SEED);
    // What is only needed at first is not counted as growth.
    await speak(ports, seed, 500);
    const before = await product.residentBytes();
    const talking = new AbortController();
    const talk = (async () => {
      for (let said = 0; !talking.signal.aborted; said++) {
        await ann.say(room, `message ${said}`);
        await bob.next("new_message", ({ message }) => message === `message ${said}`);
      }
    })();
    const connections = await speak(ports, seed + 1, SOAK_MS);
    talking.abort();
    await talk;
    expect(connections).toBeGreaterThan(SOAK_MS / 100);
    await new RpcClient(rpc).call("RoomService/GetRoom", { room_id: room });
    const state = { grownBy: 0 };
    await eventually(
      "memory to be given back",
      async () => {
        state.grownBy = (await product.residentBytes()) - before;
        return state.grownBy < MAX_GROWTH_BYTES;
      },
      { state: () => state },
    );
  }, 90_000);
});

/** Lets connections speak one after the other, some at a time; returns how many did. */
async function speak(ports: readonly number[], seed: number, forMs: number): Promise<number> {
  const random = new Random(seed);
  const until = performance.now() + forMs;
  let connections = 0;
  const next = async (): Promise<void> => {
    while (performance.now() < until) {
      const speech = SPEECHES[random.below(SPEECHES.length)];
      await say(ports[random.below(ports.length)] ?? 0, speech?.(random) ?? [], random.below(2) === 0);
      connections++;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  return connections;
}

/** Says something to a port; resolves when the connection is over. `rude`: cuts it off at once. */
function say(port: number, parts: readonly Buffer[], rude: boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect(port, "127.0.0.1");
  const timer = setTimeout(() => socket.destroy(), PATIENCE_MS);
  socket.on("error", () => undefined); // a reset is a fine answer to all this
  socket.on("close", () => {
    clearTimeout(timer);
    resolve();
  });
  socket.resume();
  for (const part of parts) socket.write(part);
  if (rude) socket.write("", () => socket.resetAndDestroy());
  return promise;
}

function masked(payload: Buffer): Buffer {
  const key = randomBytes(4);
  const body = payload.subarray(0, 125).map((byte, index) => byte ^ (key[index % 4] ?? 0));
  return Buffer.concat([Buffer.of(0x80 | OPCODE.text, 0x80 | body.length), key, body]);
}
