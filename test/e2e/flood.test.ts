import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Crowd, newRoom } from "../support/crowd.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { singleProcess } from "../support/topology.ts";

const SOCKETS = 200;
const MASKED_TEXT = Buffer.of(0x81, 0x80 | '{"type":"ping"}'.length, 0, 0, 0, 0);
const PING = Buffer.from('{"type":"ping"}');
/** Made once, with a mask of zeros: what costs time shall be the server's reading. */
const FLOOD = Buffer.concat(Array.from({ length: 4_000 }, () => [MASKED_TEXT, PING]).flat());
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
    const watch = (async () => {
      let answered = 0;
      for (; flooding; answered++) {
        expect((await fetch(`${topology.ops[0]}/livez`, { headers: { connection: "close" } })).status).toBe(200);
        await ann.say(room, `${answered}`);
        await bob.next("new_message", ({ message }) => message === `${answered}`);
        // As fast as a person: her own limit is not what this is about.
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      return answered;
    })();
    for (const socket of sockets) socket.write(FLOOD);
    const flood = Promise.all(sockets.map((socket) => socket.closeCode())).finally(() => {
      flooding = false;
    });
    const [codes, answered] = await Promise.all([flood, watch]);
    expect(answered).toBeGreaterThan(0);
    expect(new Set(codes)).toEqual(new Set([4004]));
    expect((await residentBytes()) - before).toBeLessThan(MAX_GROWTH_BYTES);
  }, 60_000);

  async function residentBytes(): Promise<number> {
    const text = await (await fetch(`${topology.ops[0]}/metrics`)).text();
    return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1]);
  }
});
