import { create } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { SignalSchema } from "../../../../gen/baccarat/v1/event_pb.ts";
import { openReplica, openTestBroker, room, store } from "./replica.ts";

const ROOM = room("table.7");

async function setUp() {
  const broker = await openTestBroker();
  const { deliveries } = await openReplica(broker);
  const [seq = 0] = await store(broker, ROOM, ["hello"]);
  /** An edge that answers. */
  const answer = (edgeId: string, deliverMs?: number) =>
    broker.subscribe(ROOM, {
      onEvent: () => undefined,
      onSignal({ body }) {
        if (body.case !== "deliveryQuery") return;
        const { queryId } = body.value;
        const time = deliverMs === undefined ? {} : { deliverTime: timestampFromMs(deliverMs) };
        const value = { queryId, edgeId, connections: 3, ...time };
        broker.signal(ROOM, create(SignalSchema, { roomId: ROOM, body: { case: "deliveryReport", value } }));
      },
    });
  return { broker, deliveries, seq, answer };
}

describe("deliveries", () => {
  it("are what the edges of the room say, in the order of their ids, those without clients included", async () => {
    const { broker, deliveries, seq, answer } = await setUp();
    await answer("edge-2");
    await answer("edge-1", 2_000);
    const storedAt = await broker.storedAt(seq);
    const traced = await deliveries.trace(ROOM, seq);
    expect(traced.event).toMatchObject({ roomId: ROOM, seq: BigInt(seq) });
    expect(traced.storeTime && timestampMs(traced.storeTime)).toBe(storedAt);
    expect(traced.deliveries).toMatchObject([
      { edgeId: "edge-1", connections: 3, deliverTime: { seconds: 2n } },
      { edgeId: "edge-2", connections: 3 },
    ]);
    expect(traced.deliveries[1]?.deliverTime).toBeUndefined();
  });

  it("are none where no edge answers, which is not waited for for long", async () => {
    const { deliveries, seq } = await setUp();
    expect((await deliveries.trace(ROOM, seq)).deliveries).toEqual([]);
  });

  it("are told without a time of storing when the event went meanwhile", async () => {
    const { broker, seq } = await setUp();
    const gone = new Proxy(broker, {
      get: (target, property) => {
        const value: unknown = property === "storedAt" ? async () => undefined : Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const { deliveries } = await openReplica(gone);
    expect((await deliveries.trace(ROOM, seq)).storeTime).toBeUndefined();
  });

  it("are refused for what is not there", async () => {
    const { deliveries, seq } = await setUp();
    await expect(deliveries.trace(ROOM, seq + 1)).rejects.toMatchObject({ reason: "invalid_argument" });
  });
});
