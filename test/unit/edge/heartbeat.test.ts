import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Beating, Heartbeat } from "../../../edge/heartbeat.ts";

let heartbeat: Heartbeat;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
  heartbeat = new Heartbeat();
});
afterEach(() => {
  heartbeat.close();
  vi.useRealTimers();
});

class Peer implements Beating {
  bytesRead = 0;
  paused = false;
  pings = 0;
  silent = 0;
  ping(): void {
    this.pings++;
  }
  onSilent(): void {
    this.silent++;
    heartbeat.remove(this);
  }
}

/** Lets seconds pass, during each of which `each` happens. */
function pass(seconds: number, each: () => void = () => undefined): void {
  for (let second = 0; second < seconds; second++) {
    each();
    vi.advanceTimersByTime(1_000);
  }
}

describe("the heartbeat", () => {
  it("pings everybody once in 8 s, not all at the same time", () => {
    const peers = Array.from({ length: 200 }, () => new Peer());
    for (const peer of peers) heartbeat.add(peer);
    pass(1);
    const first = peers.filter(({ pings }) => pings > 0).length;
    expect(first).toBeGreaterThan(5);
    expect(first).toBeLessThan(60);
    pass(7);
    expect(peers.every(({ pings }) => pings === 1)).toBe(true);
  });

  it("finds who was silent for 20 s", () => {
    const [silent, alive] = [new Peer(), new Peer()];
    heartbeat.add(silent);
    heartbeat.add(alive);
    pass(19, () => alive.bytesRead++);
    expect(silent.silent).toBe(0);
    pass(2, () => alive.bytesRead++);
    expect({ silent: silent.silent, alive: alive.silent }).toEqual({ silent: 1, alive: 0 });
  });

  it("does not count time in which the connection was paused", () => {
    const peer = new Peer();
    heartbeat.add(peer);
    pass(15);
    peer.paused = true;
    pass(30);
    peer.paused = false;
    pass(4);
    expect(peer.silent).toBe(0);
    pass(2);
    expect(peer.silent).toBe(1);
  });

  it("knows when the last byte came", () => {
    const peer = new Peer();
    heartbeat.add(peer);
    pass(3, () => peer.bytesRead++);
    const spoke = performance.now();
    pass(6);
    expect(heartbeat.remove(peer)).toBe(spoke);
    heartbeat.add(peer);
    pass(3);
    peer.bytesRead++;
    expect(heartbeat.remove(peer)).toBe(performance.now());
  });
});
