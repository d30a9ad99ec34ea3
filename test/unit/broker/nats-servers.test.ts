import { describe, expect, it } from "vitest";
import { room, say } from "../../contract/events.ts";
import { eventually } from "../../support/eventually.ts";
import { through, useNats } from "../../support/nats-fixture.ts";

const TOO_OLD = "nats-server 2.9.10 is too old for a cluster: NATS_MIN_CLUSTER_VERSION is 2.12.0";
const FAULTY = "nats-server 2.11.4 has known faults in a cluster: 2.12.0 or newer is recommended";

describe("the versions of servers", () => {
  const nats = useNats({ size: 1 });

  it("are judged anew with every connection, and none keeps anything from being stored", async () => {
    const proxy = await nats.proxy();
    const becomes = async (version: string): Promise<void> => {
      proxy.greet((line) => line.replace(/"version":"[^"]+"/, `"version":"${version}","cluster":"c"`));
      proxy.reset();
    };
    await becomes("2.9.10");
    const options = { servers: through(proxy), replicas: 1 };
    const broker = await nats.open({ ...options, minClusterVersion: "2.12.0" });
    const lenient = await nats.open(options);
    expect(broker).toMatchObject({ unfit: TOO_OLD, warning: undefined });
    expect(lenient).toMatchObject({ unfit: undefined, warning: TOO_OLD.replace(/is too old.*/, FAULTY.slice(19)) });
    expect(broker.health()).toEqual({ ok: true });
    expect((await say(broker, room("lobby"), "stored all the same")).seq).toBeGreaterThan(0);

    await becomes("2.12.0");
    await eventually("all to be well", () => (broker.unfit ?? lenient.warning) === undefined);
    await becomes("2.11.4");
    await eventually("it to be too old again", () => broker.unfit?.includes("2.11.4"));
    await eventually("a warning", () => lenient.warning === FAULTY);
    await becomes("2.9.9");
    await eventually("it to be too old for anything", () => lenient.unfit?.includes("2.9.10 or newer is needed"));
    expect(nats.lines.map(({ msg }) => msg)).toEqual(expect.arrayContaining([TOO_OLD, FAULTY]));
  });
});
