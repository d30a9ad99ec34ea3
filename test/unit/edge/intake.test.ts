import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Intake } from "../../../edge/intake.ts";
import { eventually } from "../../support/eventually.ts";
import { connectPair, type SocketPair } from "./socket-pair.ts";

const FRAMES = 4_000;
/** A client's end of TCP, which takes many frames in one write. */
interface WithSocket {
  readonly _socket: { write(bytes: Buffer): void };
}

/** Text frames masked with zeros, one after the other. */
function frames(texts: readonly string[]): Buffer {
  return Buffer.concat(texts.flatMap((text) => [Buffer.of(0x81, 0x80 | text.length, 0, 0, 0, 0), Buffer.from(text)]));
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index));
const write = (pair: SocketPair, bytes: Buffer): void => (pair.client as unknown as WithSocket)._socket.write(bytes);

/** What the server heard, and in how many turns of its event loop. */
function hear({ webSocket }: SocketPair): { readonly texts: string[]; readonly perTurn: () => number[] } {
  const texts: string[] = [];
  const counts: number[] = [];
  let heard = 0;
  webSocket.on("message", (data) => {
    texts.push(String(data));
    if (heard++ === 0) {
      setImmediate(() => {
        counts.push(heard);
        heard = 0;
      });
    }
  });
  return { texts, perTurn: () => counts };
}

describe("intake", () => {
  it("gives everything on, in order, however it comes", async () => {
    const pair = await connectPair();
    const heard = hear(pair);
    new Intake().attach(pair.webSocket, pair.socket);
    pair.client.send("hello");
    await eventually("a small message", () => heard.texts.length === 1);
    pair.client.send("x".repeat(200_000));
    write(pair, frames(numbered(FRAMES)));
    pair.client.send("bye");
    await eventually("the last message", () => heard.texts.at(-1) === "bye");
    expect(heard.texts).toEqual(["hello", "x".repeat(200_000), ...numbered(FRAMES), "bye"]);
  });

  it("takes apart no more of one client per turn than its portion", async () => {
    const pair = await connectPair();
    const heard = hear(pair);
    // A clock by which every turn's time is over after two looks at it.
    let now = 0;
    new Intake({ turnMs: 1, firstBytes: 1_000, nextBytes: 500, now: () => now++ }).attach(pair.webSocket, pair.socket);
    write(pair, frames(numbered(FRAMES)));
    await eventually("the last message", () => heard.texts.length === FRAMES);
    expect(heard.texts).toEqual(numbered(FRAMES));
    // Seven bytes a frame, at least; the end of one portion and the next may be one turn to who counts.
    expect(Math.max(...heard.perTurn())).toBeLessThanOrEqual(1_500 / 7);
  });

  it("does not read from who is paused, and goes on when it is resumed", async () => {
    const pair = await connectPair();
    const heard = hear(pair);
    new Intake({ firstBytes: 100, nextBytes: 100 }).attach(pair.webSocket, pair.socket);
    pair.webSocket.once("message", () => pair.webSocket.pause());
    write(pair, frames(numbered(FRAMES)));
    await eventually("what was read already", () => heard.texts.length > 100);
    pair.client.send("more");
    for (let n = 0; n < 1_000; n++) await turn();
    const read = heard.texts.length;
    expect(heard.texts).not.toContain("more");
    for (let n = 0; n < 100; n++) await turn();
    expect(heard.texts).toHaveLength(read);
    pair.webSocket.resume();
    await eventually("the rest", () => heard.texts.at(-1) === "more");
    expect(heard.texts).toEqual([...numbered(FRAMES), "more"]);
  });

  it("leaves the rest of what somebody sent who is sent away", async () => {
    const pair = await connectPair();
    const heard = hear(pair);
    new Intake({ firstBytes: 100, nextBytes: 100 }).attach(pair.webSocket, pair.socket);
    pair.webSocket.once("message", () => pair.webSocket.close(4004, "rate_limited"));
    write(pair, frames(numbered(FRAMES)));
    await eventually("the client to hear of it", () => pair.client.readyState !== pair.client.OPEN);
    expect(heard.texts.length).toBeLessThan(100);
  });
});
