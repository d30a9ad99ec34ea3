import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { hearControlFrames } from "../../../edge/control-frames.ts";
import { FIXED } from "../../../services/limits.ts";
import { eventually } from "../../support/eventually.ts";
import { connectPair } from "./socket-pair.ts";

describe.each(["ping", "pong"] as const)("%ss of a client", (kind) => {
  it(`may be ${FIXED.controlFrameBurst} at once, and not one more`, async () => {
    const { client, webSocket } = await connectPair();
    let heard = 0;
    let floods = 0;
    webSocket.on(kind, () => heard++);
    let pongs = 0;
    hearControlFrames(webSocket, { onPong: () => pongs++, onControlFlood: () => floods++ });
    for (let index = 0; index < FIXED.controlFrameBurst; index++) client[kind]("x");
    await eventually("all of them", () => heard === FIXED.controlFrameBurst);
    expect(floods).toBe(0);
    expect(pongs).toBe(kind === "pong" ? FIXED.controlFrameBurst : 0);
    // Those that were sent while the first came may have got their tokens back.
    for (let index = 0; index < FIXED.controlFrameBurst; index++) client[kind]("x");
    await eventually("the flood", () => floods > 0);
    client.close();
    await once(webSocket, "close");
    expect(floods).toBe(1);
  });
});
