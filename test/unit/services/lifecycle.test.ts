import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { type Host, handleSignals, Lifecycle } from "../../../services/lifecycle.ts";
import { createLog } from "../../../services/log.ts";

/** A process that tells what would have ended it. */
class FakeProcess extends EventEmitter implements Host {
  readonly exited: Promise<number>;
  readonly #exit: (code: number) => void;
  exitCodes: number[] = [];

  constructor() {
    super();
    const { promise, resolve } = Promise.withResolvers<number>();
    this.exited = promise;
    this.#exit = resolve;
  }

  exit(code: number): void {
    this.exitCodes.push(code);
    this.#exit(code);
  }
}

function setUp(stopMs = 5_000) {
  const lines: string[] = [];
  const log = createLog({ level: "info", output: { write: (line) => lines.push(line) } });
  const lifecycle = new Lifecycle({ log, stopMs });
  const host = new FakeProcess();
  const clock = { now: 0 };
  handleSignals({ host, lifecycle, log, now: () => clock.now });
  const messages = (): unknown[] => lines.map((line) => (JSON.parse(line) as { msg: unknown }).msg);
  return { lifecycle, host, clock, messages, lines };
}

const never = (): Promise<void> => new Promise(() => undefined);

describe("Lifecycle", () => {
  it("stops backwards, one after the other, once", async () => {
    const { lifecycle } = setUp();
    const order: string[] = [];
    for (const name of ["broker", "control plane", "edge"]) {
      lifecycle.onStop(name, async () => {
        order.push(`${name} begins`);
        await Promise.resolve();
        order.push(`${name} ends`);
      });
    }
    expect(lifecycle.stopping).toBe(false);
    const [first, second] = [lifecycle.stop(), lifecycle.stop()];
    expect(lifecycle.stopping).toBe(true);
    expect(second).toBe(first);
    await first;
    expect(order).toEqual([
      "edge begins",
      "edge ends",
      "control plane begins",
      "control plane ends",
      "broker begins",
      "broker ends",
    ]);
  });

  it("goes on after steps that throw or reject, and says so", async () => {
    const { lifecycle, lines } = setUp();
    const stopped: string[] = [];
    lifecycle.onStop("broker", () => void stopped.push("broker"));
    lifecycle.onStop("throws", () => {
      throw new Error("first");
    });
    lifecycle.onStop("rejects", () => Promise.reject(new Error("second")));
    await lifecycle.stop();
    expect(stopped).toEqual(["broker"]);
    expect(lines.filter((line) => line.includes("failed to stop"))).toHaveLength(2);
  });

  it("does not wait beyond the deadline, yet begins every step", async () => {
    const { lifecycle, messages } = setUp(20);
    const begun: string[] = [];
    lifecycle.onStop("broker", () => void begun.push("broker"));
    lifecycle.onStop("hangs too", () => {
      begun.push("hangs too");
      return never();
    });
    lifecycle.onStop("hangs", never);
    await lifecycle.stop();
    expect(begun).toEqual(["hangs too", "broker"]);
    expect(messages()).toEqual(["did not stop in time", "did not stop in time"]);
  });
});

describe("handleSignals", () => {
  it.each(["SIGINT", "SIGTERM"] as const)("stops on %s and exits 0", async (signal) => {
    const { lifecycle, host, messages } = setUp();
    let stopped = false;
    lifecycle.onStop("edge", () => {
      stopped = true;
    });
    host.emit(signal);
    expect(await host.exited).toBe(0);
    expect(stopped).toBe(true);
    expect(messages()).toEqual(["stopping"]);
  });

  it("exits at once on a second signal", () => {
    const { lifecycle, host, clock } = setUp();
    lifecycle.onStop("edge", never);
    host.emit("SIGTERM");
    clock.now = 301;
    host.emit("SIGINT");
    expect(host.exitCodes).toEqual([1]);
  });

  it("takes the same Ctrl-C, heard from the terminal and from npm, for one", async () => {
    const { lifecycle, host, clock } = setUp();
    const step = Promise.withResolvers<void>();
    lifecycle.onStop("edge", () => step.promise);
    host.emit("SIGINT");
    clock.now = 50;
    host.emit("SIGINT");
    expect(host.exitCodes).toEqual([]);
    step.resolve();
    expect(await host.exited).toBe(0);
  });

  it.each(["uncaughtException", "unhandledRejection"])("logs %s, stops and exits 1", async (event) => {
    const { lifecycle, host, lines } = setUp();
    let stopped = false;
    lifecycle.onStop("edge", () => {
      stopped = true;
    });
    host.emit(event, new Error("a bug"));
    expect(await host.exited).toBe(1);
    expect(stopped).toBe(true);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ level: "fatal", msg: event, err: { message: "a bug" } });
  });

  it("exits at once on an error while stopping", () => {
    const { lifecycle, host } = setUp();
    lifecycle.onStop("edge", never);
    host.emit("SIGTERM");
    host.emit("uncaughtException", new Error("a bug"));
    expect(host.exitCodes).toEqual([1]);
  });
});
