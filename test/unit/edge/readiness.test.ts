import { expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { InProcess } from "./in-process.ts";
import { ScriptedService } from "./scripted-service.ts";

it("an edge is ready once it is attached, not while it is fenced, and stays ready when its RoomService goes", async () => {
  await using product = await InProcess.start();
  const service = new ScriptedService();
  service.down = true;
  const edge = await product.edge({ transports: [service.transport] });
  expect(edge.notReady()).toEqual(["not attached to a RoomService yet"]);
  service.down = false;
  const stream = await service.stream(0);
  await eventually("it to be ready", () => edge.notReady().length === 0);

  service.down = true;
  stream.send({ case: "fenced", value: {} });
  await eventually("it to be fenced", () => edge.notReady().length > 0);
  expect(edge.notReady()).toEqual(["fenced: this edge was given up and begins anew"]);
  service.down = false;
  const again = await service.stream(1);
  await eventually("it to be ready again", () => edge.notReady().length === 0);

  service.down = true;
  again.end();
  await eventually("it to be detached", async () =>
    (await product.metrics.render()).text.includes("baccarat_attached 0"),
  );
  expect(edge.notReady()).toEqual([]);
});
