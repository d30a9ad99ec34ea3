import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestClient } from "../support/client.ts";
import { Crowd, newRoom } from "../support/crowd.ts";
import { eventually } from "../support/eventually.ts";
import { ProductProcess } from "../support/process.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { starve } from "../support/starve.ts";
import { singleProcess } from "../support/topology.ts";

const SOCKETS = 200;
const MASKED_TEXT = Buffer.of(0x81, 0x80 | '{"type":"ping"}'.length, 0, 0, 0, 0);
const PING = Buffer.from('{"type":"ping"}');
/** Made once, with a mask of zeros: what costs time shall be the server's reading. */
const FLOOD = Buffer.concat(Array.from({ length: 4_000 }, () => [MASKED_TEXT, PING]).flat());
/** How long the flood may take on a busy machine, in milliseconds: how long it lasts is no promise. */
const FLOOD_MS = 40_000;
const MAX_GROWTH_BYTES = 256 * 1024 * 1024;

describe("a flood from 200 sockets at full speed", () => {
  const topology = singleProcess();
  beforeAll(() => topology.start());
  afterAll(() => topology.stop());

  it("ends in 4004, while others talk and the process answers", async () => {
    await using crowd = new Crowd(topology);
    const room = newRoom("calm");
    const [ann, bob] = [await crowd.join(room), await crowd.join(room)];
    const edge = topology.edges[0] ?? "";
    const before = await residentBytes();
    const sockets = await Promise.all(Array.from({ length: SOCKETS }, () => RawSocket.upgrade(edge)));
    await using stack = new AsyncDisposableStack();
    for (const socket of sockets) stack.use(socket);
    let flooding = true;
    let mostMemory = 0;
    const watch = (async () => {
      let answered = 0;
      for (; flooding; answered++) {
        expect((await fetch(`${topology.ops[0]}/livez`, { headers: { connection: "close" } })).status).toBe(200);
        await ann.say(room, `${answered}`);
        await bob.next("new_message", ({ message }) => message === `${answered}`);
        mostMemory = Math.max(mostMemory, await residentBytes());
        // As fast as a person: her own limit is not what this is about.
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      return answered;
    })();
    for (const socket of sockets) socket.write(FLOOD);
    const flood = Promise.all(sockets.map((socket) => socket.closeCode(FLOOD_MS))).finally(() => {
      flooding = false;
    });
    const [codes, answered] = await Promise.all([flood, watch]);
    expect(answered).toBeGreaterThan(0);
    expect(new Set(codes)).toEqual(new Set([4004]));
    expect(mostMemory - before).toBeLessThan(MAX_GROWTH_BYTES);
  }, 60_000);

  async function residentBytes(): Promise<number> {
    const text = await (await fetch(`${topology.ops[0]}/metrics`)).text();
    return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1]);
  }
});

describe("a process that gets too little of the machine", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "baccarat-late-"));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it("refuses new connections with 503 until it is in time again, and keeps those it has", async () => {
    const product = await ProductProcess.start({ env: { DATA_DIR: directory } });
    const { edge = "", ops = "" } = product.addresses;
    const upgrade = async (): Promise<string> => {
      await using raw = await RawSocket.connect(edge);
      return await raw.handshake("/ws?room_id=", new URL(edge).host);
    };
    const taken = async (): Promise<boolean> => (await upgrade()).startsWith("HTTP/1.1 101 ");
    // A process is busy while it starts, too.
    await eventually("a new connection to be taken", taken);
    const ann = await TestClient.connect(edge);
    {
      using _starved = starve(product);
      const refused = await eventually("a new connection to be refused", async () => {
        const head = await upgrade();
        return head.startsWith("HTTP/1.1 503 ") && head;
      });
      expect(refused).toMatch(/^retry-after: [1-9]\d*\r?$/im);
      const readiness = await fetch(`${ops}/readyz`);
      expect([readiness.status, await readiness.text()]).toEqual([503, expect.stringContaining("event loop")]);
      await ann.request("ping");
    }
    await eventually("new connections to be taken again", taken);
    await ann.close();
    expect(await product.stop()).toMatchObject({ code: 0 });
  });
});
