import { setTimeout as pause } from "node:timers/promises";
import type { Server } from "./servers.ts";

/** How thoroughly to measure. */
export interface Plan {
  /** How often each server has its turn. */
  readonly rounds: number;
  /** How long a turn measures. */
  readonly seconds: number;
  /** True when it only matters that everything works. */
  readonly quick: boolean;
}

/** The middle of some numbers; NaN of none. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The number below which a share of some numbers lies (nearest rank); NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** How late something was, in milliseconds. */
export interface Latency {
  readonly p50: number;
  readonly p99: number;
}

/** Half of it and nearly all of it. */
export function latencyOf(values: readonly number[]): Latency {
  return { p50: quantile(values, 0.5), p99: quantile(values, 0.99) };
}

/** What a stretch of time cost. */
export interface Cost {
  readonly seconds: number;
  /** CPU seconds of the server. */
  readonly user: number;
  readonly system: number;
  /** Share of its core that the load used: near 1 it would measure itself. */
  readonly loadCpu: number;
}

/** Begins a stretch of time; the function returned ends it. */
export function startMeter(server: Pick<Server, "cpu">): () => Cost {
  const at = performance.now();
  const before = server.cpu();
  const own = process.cpuUsage();
  return () => {
    const seconds = (performance.now() - at) / 1_000;
    const after = server.cpu();
    const used = process.cpuUsage(own);
    return {
      seconds,
      user: after.user - before.user,
      system: after.system - before.system,
      loadCpu: (used.user + used.system) / 1e6 / seconds,
    };
  };
}

/** What each server's turns gave, by the server's name. */
export type Rounds<T> = ReadonlyMap<string, readonly T[]>;

/** Every server in turn, round by round, since a machine's speed drifts; none while another still tidies up. */
export async function interleave<T>(
  servers: readonly Server[],
  rounds: number,
  measure: (server: Server, round: number) => Promise<T>,
): Promise<Rounds<T>> {
  const results = new Map<string, T[]>(servers.map((server) => [server.name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const server of servers) {
      await calm(servers);
      results.get(server.name)?.push(await measure(server, round));
    }
  }
  return results;
}

/** The median of one of the numbers that a server's turns gave. */
export function medianOf<T>(rounds: Rounds<T>, name: string, value: (result: T) => number): number {
  return median((rounds.get(name) ?? []).map(value));
}

const LOOK_MS = 200;
const IDLE_SHARE = 0.05;
const CALM_MS = 15_000;

/** Waits until no server has anything to do, 15 s at most: clients that left make work for a while. */
export async function calm(servers: readonly Pick<Server, "cpu">[]): Promise<void> {
  const deadline = performance.now() + CALM_MS;
  for (let busy = true; busy && performance.now() < deadline; ) {
    const meters = servers.map((server) => startMeter(server));
    await pause(LOOK_MS);
    busy = meters.map((stop) => stop()).some(({ user, system, seconds }) => (user + system) / seconds > IDLE_SHARE);
  }
}

/**
 * Calls `send` with the time it was due, by performance.now(), `perSecond` times a second on average: at even distances,
 * or at random ones as when many people act by themselves. A timer paces it: a loop that spins until the exact moment
 * would keep a core from what is measured.
 */
export async function paced(
  { perSecond, seconds, arrivals }: { perSecond: number; seconds: number; arrivals: "even" | "random" },
  send: (due: number, number: number) => void,
): Promise<void> {
  const gap = (): number => (1_000 / perSecond) * (arrivals === "even" ? 1 : -Math.log(1 - Math.random()));
  const end = performance.now() + seconds * 1_000;
  let due = performance.now() + gap();
  for (let number = 0; due < end; ) {
    for (; due <= performance.now() && due < end; due += gap()) send(due, number++);
    await pause(1);
  }
}
