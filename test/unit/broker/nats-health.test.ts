import { describe, expect, it } from "vitest";
import type { BrokerHealth } from "../../../broker/broker.ts";
import type { NatsBroker } from "../../../broker/nats.ts";
import { room, say } from "../../contract/events.ts";
import { Recorder } from "../../contract/recorder.ts";
import { eventually } from "../../support/eventually.ts";
import { through, useNats } from "../../support/nats-fixture.ts";

const LOBBY = room("lobby");

function changesOf(broker: NatsBroker): BrokerHealth[] {
  const changes: BrokerHealth[] = [];
  broker.onHealth((health) => changes.push(health));
  return changes;
}

describe("health", () => {
  const nats = useNats({ size: 1 });

  it("tells of a lost connection at once, and of the next one once JetStream answers", async () => {
    const proxy = await nats.proxy();
    const broker = await nats.open({ servers: through(proxy) });
    const heard = new Recorder();
    await broker.subscribe(LOBBY, heard);
    const changes = changesOf(broker);
    proxy.refuse();
    await eventually("the loss to be told", () => changes.length > 0);
    expect(broker.health()).toEqual({ ok: false, reason: "not connected to NATS" });
    proxy.heal();
    await eventually("the return to be told", () => changes.length > 1);
    expect(changes).toEqual([{ ok: false, reason: "not connected to NATS" }, { ok: true }]);
    await say(broker, LOBBY, "hello");
    expect(await heard.texts(1)).toEqual(["hello"]);
  });

  it("tells of a break that is over before anything else would show it", async () => {
    const proxy = await nats.proxy();
    const broker = await nats.open({ servers: through(proxy) });
    const changes = changesOf(broker);
    proxy.reset();
    await eventually("the break to be told", () => changes.length >= 2);
    expect(changes.map(({ ok }) => ok)).toEqual([false, true]);
  });

  it("tells of a server that stops, and needs no restart when it is back", async () => {
    const broker = await nats.open();
    const before = await say(broker, LOBBY, "before");
    const changes = changesOf(broker);
    const [node] = nats.servers.nodes;
    await node?.stop();
    await eventually("the loss to be told", () => !broker.health().ok);
    await expect(broker.history(LOBBY, { limit: 1 })).rejects.toMatchObject({ reason: "unavailable" });
    await expect(broker.subscribe(LOBBY, new Recorder())).rejects.toMatchObject({ reason: "unavailable" });
    node?.start();
    await eventually("the return to be told", () => changes.at(-1)?.ok);
    expect((await say(broker, LOBBY, "after")).seq).toBeGreaterThan(before.seq);
    expect((await broker.history(LOBBY, { limit: 10 })).events).toHaveLength(2);
  });

  it("calls back nobody who does not want it any more, and is not well once it is closed", async () => {
    const broker = await nats.open();
    const changes: BrokerHealth[] = [];
    broker.onHealth((health) => changes.push(health))();
    await broker.close();
    expect(changes).toEqual([]);
    expect(broker.health()).toEqual({ ok: false, reason: "the broker is closed" });
  });
});
