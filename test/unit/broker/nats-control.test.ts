import { connect } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { ControlRecorder } from "../../contract/recorder.ts";
import { eventually } from "../../support/eventually.ts";
import { through, useNats } from "../../support/nats-fixture.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("the control log in NATS", () => {
  const nats = useNats({ size: 1 });

  /** How many keys and markers the bucket holds, the engine's own apart. */
  async function messages(): Promise<number> {
    const nc = await connect({ servers: nats.servers.urls });
    const query = JSON.stringify({ subjects_filter: nats.names.allControl });
    const answer = await nc.request(`$JS.API.STREAM.INFO.${nats.names.controlStream}`, query);
    await nc.close();
    const { state } = answer.json<{ state: { subjects?: object } }>();
    const keys = Object.keys(state.subjects ?? {}).map((subject) => nats.names.key(subject));
    return keys.filter((key) => !key.startsWith("broker.")).length;
  }

  it("takes the markers of deleted keys out after a while, and no value", async () => {
    const broker = await nats.open({ markers: { keepMs: 100, sweepMs: 20 } });
    await broker.control.watch(new ControlRecorder());
    for (let index = 0; index < 40; index++) await broker.control.put(`k${index}`, bytes("v"));
    for (let index = 0; index < 39; index++) await broker.control.delete(`k${index}`);
    await broker.control.put("k7", bytes("again"));
    await eventually("the markers to go", async () => (await messages()) === 2);
    expect(await broker.control.get("k7")).toMatchObject({ value: bytes("again") });
    expect(await broker.control.get("k39")).toMatchObject({ value: bytes("v") });
    expect(await broker.control.get("k8")).toBeUndefined();
    expect(await broker.control.create("k8", bytes("new"))).toBeGreaterThan(0);
  });

  it("tells a watch that was cut off everything it missed, deletions without a trace too", async () => {
    const proxy = await nats.proxy();
    const writer = await nats.open({ markers: { keepMs: 50, sweepMs: 10 } });
    await writer.control.watch(new ControlRecorder());
    const reader = await nats.open({ servers: through(proxy) });
    for (const key of ["stays", "changes", "goes", "goes.and.returns"]) await writer.control.put(key, bytes("1"));
    const watch = new ControlRecorder();
    await reader.control.watch(watch);
    await watch.caughtUp();
    expect([...watch.state.keys()].sort()).toEqual(["changes", "goes", "goes.and.returns", "stays"]);
    const heard = watch.entries.length;

    proxy.refuse();
    await eventually("the watch to be told of the interruption", () => watch.caughtUpAfter === undefined);
    const before = await messages();
    await writer.control.put("changes", bytes("2"));
    await writer.control.put("is.new", bytes("1"));
    await writer.control.delete("goes.and.returns");
    await writer.control.create("goes.and.returns", bytes("2"));
    await writer.control.delete("goes");
    await eventually("the marker to go", async () => (await messages()) === before);
    proxy.heal();

    await watch.caughtUp();
    expect(Object.fromEntries(watch.state)).toEqual({
      stays: "1",
      changes: "2",
      "is.new": "1",
      "goes.and.returns": "2",
    });
    const missed = watch.entries.slice(heard).map(({ key }) => key);
    expect(missed.sort()).toEqual(["changes", "goes", "goes.and.returns", "is.new"]);
    const revisions = watch.entries.map(({ revision }) => revision);
    expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
    const revision = await writer.control.put("after", bytes("1"));
    await watch.revision(revision);
    expect(watch.state.get("after")).toBe("1");
  });

  it("knows its own creation again when the first answer got lost", async () => {
    const proxy = await nats.proxy();
    const broker = await nats.open({ servers: through(proxy) });
    const direct = await nats.open();
    proxy.swallow("down");
    const creating = broker.control.create("mine", bytes("mine"));
    await eventually("the key to be stored", () => direct.control.get("mine"));
    proxy.reset();
    proxy.heal();
    expect(await creating).toBe((await direct.control.get("mine"))?.revision);
    expect(await direct.control.create("mine", bytes("yours"))).toBeUndefined();
  });

  it("lets one of many processes create a key, also one that was deleted", async () => {
    const brokers = await Promise.all([nats.open(), nats.open(), nats.open()]);
    for (let round = 0; round < 20; round++) {
      const revisions = await Promise.all(
        brokers.map(({ control }, index) => control.create("key", bytes(`${index}`))),
      );
      expect(revisions.filter((revision) => revision !== undefined)).toHaveLength(1);
      const winner = revisions.findIndex((revision) => revision !== undefined);
      expect(await brokers[0]?.control.get("key")).toMatchObject({ value: bytes(`${winner}`) });
      await brokers[0]?.control.delete("key");
    }
  });

  it("does not show the engine's own keys", async () => {
    const broker = await nats.open();
    const watch = new ControlRecorder();
    await broker.control.watch(watch);
    await watch.revision(await broker.control.put("notice", bytes("1")));
    expect(watch.entries.map(({ key }) => key)).toEqual(["notice"]);
  });
});
