import { afterEach, describe, expect, it } from "vitest";
import { createLog } from "../../../../services/log.ts";
import { SupervisorMetrics } from "../../../../services/metrics.ts";
import type { WorkerExit, WorkerProcess } from "../../../../services/workers/fork.ts";
import type { WorkerState } from "../../../../services/workers/messages.ts";
import { Supervisor, WorkerFailed } from "../../../../services/workers/supervisor.ts";
import { eventually } from "../../../support/eventually.ts";

const READY: WorkerState = { started: true, port: 4711, reasons: [], warnings: [] };

/** A worker that does what the test says. */
class PlayedWorker implements WorkerProcess {
  readonly pid: number;
  readonly port: number | undefined;
  readonly exited: Promise<WorkerExit>;
  readonly end: (exit: WorkerExit) => void;
  readonly heard: string[] = [];
  text: string | undefined = "";
  #tell: (state: WorkerState) => void = () => undefined;

  constructor(number: number, port: number | undefined) {
    this.pid = 1_000 + number;
    this.port = port;
    const { promise, resolve } = Promise.withResolvers<WorkerExit>();
    this.exited = promise;
    this.end = resolve;
  }

  onState(listener: (state: WorkerState) => void): void {
    this.#tell = listener;
  }

  tell(state: Partial<WorkerState> = {}): void {
    this.#tell({ ...READY, ...state });
  }

  async metrics(): Promise<string | undefined> {
    return this.text;
  }

  stop(): void {
    this.heard.push("stop");
    this.end({ code: 0, signal: null });
  }

  signal(name: string): void {
    this.heard.push(name);
    if (name !== "SIGUSR2") this.end({ code: null, signal: name });
  }
}

const supervisors: Supervisor[] = [];
afterEach(async () => {
  for (const supervisor of supervisors.splice(0)) await supervisor.stop().catch(() => undefined);
});

function setUp(workers: number, tickMs = 60_000) {
  const forked: PlayedWorker[][] = [];
  const lines: Record<string, unknown>[] = [];
  const metrics = new SupervisorMetrics();
  const supervisor = new Supervisor({
    workers,
    fork(number, port) {
      const worker = new PlayedWorker(number, port);
      forked[number] = [...(forked[number] ?? []), worker];
      return worker;
    },
    stopMs: 50,
    metrics,
    log: createLog({ level: "debug", output: { write: (line) => lines.push(JSON.parse(line)) } }),
    restart: { baseMs: 1, maxMs: 1 },
    tickMs,
  });
  supervisors.push(supervisor);
  /** The run of a worker, counted from 0, once it was started. */
  const worker = (number: number, run = 0) => eventually(`worker ${number}, run ${run}`, () => forked[number]?.[run]);
  const up = async (): Promise<PlayedWorker[]> => {
    const started = supervisor.start();
    (await worker(1)).tell();
    const all = await Promise.all(Array.from({ length: workers }, (_, index) => worker(index + 1)));
    for (const one of all) one.tell();
    await started;
    return all;
  };
  return { supervisor, worker, up, lines, forked, metrics };
}

describe("Supervisor", () => {
  it("has the others listen where the first one does", async () => {
    const { supervisor, worker, forked } = setUp(3);
    const started = supervisor.start();
    const first = await worker(1);
    first.tell({ started: false });
    expect(forked[2]).toBeUndefined();
    expect(supervisor.notReady()).toEqual(["worker 1: starting", "worker 2: does not run", "worker 3: does not run"]);
    first.tell();
    const others = [await worker(2), await worker(3)];
    expect([first, ...others].map(({ port }) => port)).toEqual([undefined, 4711, 4711]);
    for (const other of others) other.tell();
    expect(await started).toBe(4711);
    expect(supervisor.notReady()).toEqual([]);
  });

  it("gives up when the first one cannot start", async () => {
    const { supervisor, worker, forked } = setUp(2);
    const started = supervisor.start();
    (await worker(1)).end({ code: 1, signal: null });
    await expect(started).rejects.toThrow(WorkerFailed);
    await expect(started).rejects.toThrow("worker 1 ended (1) before it listened");
    expect(forked[1]).toHaveLength(1);
  });

  it("starts again what ends, on the same port, and says so", async () => {
    const { supervisor, worker, up, lines } = setUp(2);
    const [, second] = await up();
    second?.end({ code: null, signal: "SIGKILL" });
    const again = await worker(2, 1);
    expect(again.port).toBe(4711);
    expect(lines).toContainEqual(expect.objectContaining({ level: "warn", worker: 2, pid: 1_002, signal: "SIGKILL" }));
    expect(supervisor.warnings()).toEqual(["worker 2: starting"]);
    expect((await supervisor.render()).text).toContain("baccarat_worker_restarts_total 1");
    again.tell();
    expect(supervisor.warnings()).toEqual([]);
  });

  it("is ready as long as one worker is, and tells of the others", async () => {
    const { supervisor, up } = setUp(2);
    const [first, second] = await up();
    first?.tell({ reasons: ["draining"], warnings: ["an old server"] });
    expect([supervisor.notReady(), supervisor.warnings()]).toEqual([[], ["worker 1: draining", "an old server"]]);
    second?.tell({ reasons: ["broker: away", "late"] });
    expect(supervisor.notReady()).toEqual(["worker 1: draining", "worker 2: broker: away, late"]);
    expect(supervisor.warnings()).toEqual(["an old server"]);
  });

  it("does not count on a worker that is silent, and kills it in the end", async () => {
    const { supervisor, worker, up, lines } = setUp(2, 2);
    const [first, second] = await up();
    const alive = setInterval(() => first?.tell(), 1);
    await eventually("worker 2 to be missed", () => supervisor.warnings().includes("worker 2: it does not answer"));
    await eventually("worker 2 to be killed", () => second?.heard.includes("SIGKILL"));
    await worker(2, 1);
    clearInterval(alive);
    expect(lines).toContainEqual(expect.objectContaining({ level: "error", msg: "a worker hangs: killing it" }));
  });

  it("shows the numbers of all that answer", async () => {
    const { supervisor, up } = setUp(2);
    const [first, second] = await up();
    if (first) first.text = "# HELP a_total A.\n# TYPE a_total counter\na_total 1\n";
    if (second) second.text = undefined;
    const { text, contentType } = await supervisor.render();
    expect(contentType).toContain("text/plain");
    expect(text).toContain('# TYPE a_total counter\na_total{worker="1"} 1\n');
    expect(text).toContain("baccarat_workers 2");
  });

  it("stops all, those that have not said a word included, and starts none again", async () => {
    const { supervisor, worker, up, forked } = setUp(2);
    const [first, second] = await up();
    second?.end({ code: 1, signal: null });
    const again = await worker(2, 1);
    await supervisor.stop();
    expect(first?.heard).toEqual(["stop"]);
    expect(again.heard).toEqual(["SIGTERM"]);
    expect(forked[2]).toHaveLength(2);
  });

  it("kills who does not stop in time, and says that it failed", async () => {
    const { supervisor, up } = setUp(1);
    const [only] = await up();
    if (only) only.stop = () => undefined;
    await expect(supervisor.stop()).rejects.toThrow("workers did not stop as they should: SIGKILL");
  });

  it("passes signals on", async () => {
    const { supervisor, up } = setUp(2);
    const all = await up();
    supervisor.signal("SIGUSR2");
    expect(all.map(({ heard }) => heard)).toEqual([["SIGUSR2"], ["SIGUSR2"]]);
  });
});
