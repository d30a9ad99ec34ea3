import { expect, it } from "vitest";
import { eventually } from "../../../support/eventually.ts";
import { GENEROUS, useNats } from "../../../support/nats-fixture.ts";
import { openReplica, room, store } from "./replica.ts";
import { publishState, shownSnapshot } from "./snapshot-states.ts";

const nats = useNats({ size: 1 });

// With NATS the log's trimming, the control log and each replica's tail are things of their own; with SQLite one database.
it("on NATS outlive the history and every process, and are the same at all of them", async () => {
  const retention = { ...GENEROUS, maxMessages: 2 };
  const [one, two] = [await nats.open({ retention }), await nats.open({ retention })];
  const planes = [await openReplica(one), await openReplica(two)];
  const [first, second] = planes;
  if (first === undefined || second === undefined) throw new Error("there are two");
  for (let data = 1; data <= 20; data++) {
    await Promise.all([publishState(first, "shoe", data), publishState(second, "shoe", -data)]);
  }
  await publishState(second, "gone", 1);
  await Promise.all(planes.map((plane) => plane.snapshots.flush()));
  const [shoe] = await shownSnapshot(first);
  expect(await shownSnapshot(second)).toEqual([shoe, ["gone", 1]]);
  await store(one, "table", ["one", "two", "three", "four"]);
  await eventually("the history to be trimmed", async () => (await one.history(room("table"), { limit: 9 })).floor > 0);
  // Stored right before both are killed: nobody records it.
  await publishState(first, "gone", null);
  await publishState(first, "hand", 7);
  for (const plane of planes) await plane.close();
  for (const broker of [one, two]) await broker.close();
  const after = await openReplica(await nats.open({ retention }));
  expect(await shownSnapshot(after)).toEqual([shoe, ["hand", 7]]);
});
