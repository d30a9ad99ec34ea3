import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { FanOut } from "../../../edge/fan-out.ts";
import { textFrame } from "../../../edge/frame-encoders.ts";
import { Outbox } from "../../../edge/outbox.ts";
import { eventually } from "../../support/eventually.ts";
import { connectPair, type SocketPair } from "./socket-pair.ts";

const MIB = 1024 * 1024;

async function open(maxBytes = MIB): Promise<SocketPair & { outbox: Outbox; fanOut: FanOut; overflows: () => number }> {
  const pair = await connectPair();
  const fanOut = new FanOut();
  let overflows = 0;
  const onOverflow = () => {
    overflows++;
  };
  const outbox = new Outbox({ ...pair, fanOut, maxBytes, owner: { onOverflow } });
  onTestFinished(() => fanOut.close());
  return { ...pair, outbox, fanOut, overflows: () => overflows };
}

describe("an outbox", () => {
  it("writes all replies of a turn at once, in order", async () => {
    const { outbox, socket, received } = await open();
    let writes = 0;
    const write = socket.write.bind(socket);
    socket.write = ((bytes: Uint8Array) => {
      writes++;
      return write(bytes);
    }) as typeof socket.write;
    for (const text of ["a", "b", "c"]) outbox.push(textFrame(text));
    expect(writes).toBe(0);
    await eventually("the frames", () => received.length === 3);
    expect({ received, writes }).toEqual({ received: ["a", "b", "c"], writes: 1 });
  });

  it("writes replies before what the room says later", async () => {
    const { outbox, received } = await open();
    outbox.push(textFrame("joined"));
    outbox.write(textFrame("message"));
    outbox.push(textFrame("ack"));
    outbox.write(textFrame("message 2"));
    await eventually("the frames", () => received.length === 4);
    expect(received).toEqual(["joined", "message", "ack", "message 2"]);
  });

  it("sends pings", async () => {
    const { outbox, client } = await open();
    let pings = 0;
    client.on("ping", () => {
      pings++;
    });
    outbox.ping();
    await eventually("the ping", () => pings === 1);
  });

  it("is over when the client does not read more than it may hold, and writes nothing from then on", async () => {
    const { outbox, client, socket, received, overflows } = await open();
    client.pause();
    const frame = textFrame("x".repeat(100_000));
    await eventually("the queue to be full", async () => {
      outbox.write(frame);
      await turn();
      return overflows() === 1;
    });
    expect(socket.writableLength).toBeLessThanOrEqual(MIB);
    const queued = socket.writableLength;
    outbox.write(frame);
    outbox.push(frame);
    outbox.ping();
    await turn();
    expect(socket.writableLength).toBe(queued);
    expect(overflows()).toBe(1);
    client.resume();
    await eventually("the queue to drain", () => socket.writableLength === 0);
    await eventually("the last frame", () => received.length > 10 && received.every((text) => text.length === 100_000));
  });

  it("takes one page larger than its limit while it is empty", async () => {
    const { outbox, received, overflows } = await open(65_536);
    outbox.push(textFrame("x".repeat(300_000)));
    await eventually("the page", () => received.length === 1);
    expect(overflows()).toBe(0);
  });

  it("writes what was pushed before it is closed, and nothing after the Close frame", async () => {
    const { outbox, webSocket, received, closed, client } = await open();
    outbox.push(textFrame("last words"));
    outbox.close();
    webSocket.close(4001);
    outbox.push(textFrame("too late"));
    outbox.write(textFrame("too late"));
    const errors: unknown[] = [];
    client.on("error", (error) => errors.push(error));
    expect(await closed).toBe(4001);
    expect({ received, errors }).toEqual({ received: ["last words"], errors: [] });
  });
});
