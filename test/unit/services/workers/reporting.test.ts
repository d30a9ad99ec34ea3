import { EventEmitter } from "node:events";
import { createServer } from "node:net";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { FromWorker, WorkerState } from "../../../../services/workers/messages.ts";
import { checkPort } from "../../../../services/workers/port-check.ts";
import { type Channel, reportToSupervisor } from "../../../../services/workers/reporting.ts";
import { eventually } from "../../../support/eventually.ts";

/** A line to a supervisor that remembers what was said, or is broken. */
class Line extends EventEmitter implements Channel {
  readonly said: FromWorker[] = [];
  broken: Error | null = null;

  send(message: FromWorker, done: (error: Error | null) => void): void {
    if (this.broken === null) this.said.push(message);
    done(this.broken);
  }
}

function setUp() {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  onTestFinished(() => void vi.useRealTimers());
  const channel = new Line();
  const state = { started: false, reasons: ["starting"], warnings: [] as string[] } satisfies WorkerState;
  const lost: unknown[] = [];
  let stops = 0;
  const tell = reportToSupervisor({
    channel,
    state: () => state,
    render: async () => ({ text: "a_total 1" }),
    onStop: () => void stops++,
    onLost: (error) => lost.push(error),
  });
  return { channel, state, tell, lost, stops: () => stops };
}

describe("a worker", () => {
  it("tells its state at once, every second, and when it is asked to", () => {
    const { channel, tell } = setUp();
    expect(channel.said).toEqual([{ type: "state", started: false, reasons: ["starting"], warnings: [] }]);
    vi.advanceTimersByTime(2_000);
    expect(channel.said).toHaveLength(3);
    tell();
    expect(channel.said).toHaveLength(4);
  });

  it("hands out its numbers, and stops when it is told to", async () => {
    const { channel, stops } = setUp();
    channel.emit("message", { type: "metrics", id: 7 });
    await eventually("the numbers", () => channel.said.length === 2);
    expect(channel.said[1]).toEqual({ type: "metrics", id: 7, text: "a_total 1" });
    channel.emit("message", { type: "stop" });
    expect(stops()).toBe(1);
  });

  it("minds that nobody listens any more", () => {
    const { channel, tell, lost } = setUp();
    channel.broken = new Error("closed");
    tell();
    expect(lost).toEqual([channel.broken]);
  });
});

describe("checkPort", () => {
  it("says that a port is taken, and leaves a free one free", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, resolve));
    const { port } = server.address() as { port: number };
    await expect(checkPort({ host: "127.0.0.1", port })).rejects.toMatchObject({
      code: "EADDRINUSE",
      syscall: "listen",
    });
    await new Promise((resolve) => server.close(resolve));
    await checkPort({ host: "127.0.0.1", port });
    await checkPort({ host: "127.0.0.1", port });
  });
});
