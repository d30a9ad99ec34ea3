import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestClient } from "../../support/client.ts";
import { eventually } from "../../support/eventually.ts";
import { InProcess } from "./in-process.ts";

const DRAIN_MS = 1_500;

let product: InProcess;

beforeAll(async () => {
  product = await InProcess.start();
});
afterAll(async () => {
  await product[Symbol.asyncDispose]();
});

describe("draining", () => {
  it("tells every client when to come back, spread over the time, and ends as soon as they are gone", async () => {
    const edge = await product.edge({ drainMs: DRAIN_MS });
    const clients = await Promise.all(Array.from({ length: 20 }, () => product.client(edge)));
    const startedAt = performance.now();
    const closed = edge.close();
    expect(edge.notReady()).toEqual(["draining"]);
    const told = await Promise.all(clients.map((client) => client.next("reconnect")));
    const delays = told.map(({ payload }) => payload.delay_ms).sort((a, b) => a - b);
    expect(told.every(({ payload }) => payload.reason === "draining")).toBe(true);
    for (const [index, delay] of delays.entries()) {
      expect(delay).toBeGreaterThanOrEqual((index / 20) * DRAIN_MS - 1);
      expect(delay).toBeLessThanOrEqual(((index + 1) / 20) * DRAIN_MS);
    }
    await Promise.all(clients.map((client) => client.close()));
    await closed;
    expect(performance.now() - startedAt).toBeLessThan(DRAIN_MS);
  });

  it("serves who stays until the end, refuses who comes with 503, then closes with 1012", async () => {
    const edge = await product.edge({ drainMs: DRAIN_MS });
    const ann = await product.client(edge);
    await ann.request("join_room", { room_id: "drain-stay" });
    const closed = edge.close();
    await ann.next("reconnect");
    await ann.say("drain-stay", "still here");
    await ann.next("new_message");
    await expect(TestClient.connect(edge.url)).rejects.toThrow("503");
    expect(await ann.closing()).toMatchObject({ code: 1012 });
    await closed;
  });

  it("closes at once when it is given no time, having told clients to come back", async () => {
    const edge = await product.edge();
    const ann = await product.client(edge);
    await edge.close();
    const { payload } = await ann.next("reconnect");
    expect(payload).toMatchObject({ reason: "draining" });
    expect(payload.delay_ms).toBeLessThan(1_000);
    expect(await ann.closing()).toMatchObject({ code: 1012 });
  });

  it("is begun by an operator, and leaves the edge running", async () => {
    const edge = await product.edge({ edgeId: "drained", drainMs: DRAIN_MS });
    const ann = await product.client(edge);
    await product.controlPlane.edges.drain("drained", async () => undefined);
    expect((await ann.next("reconnect")).payload).toMatchObject({ reason: "draining" });
    expect(edge.notReady()).toEqual(["draining"]);
    expect(await ann.closing()).toMatchObject({ code: 1012 });
    await eventually("the edge to be listed as draining", () =>
      product.controlPlane.edges.list().some(({ edgeId, draining }) => edgeId === "drained" && draining),
    );
    await expect(TestClient.connect(edge.url)).rejects.toThrow("503");
    await edge.close();
  });
});
