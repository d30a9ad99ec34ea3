import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { REFUSED, say, sides, texts } from "./duo.ts";
import { reconnectNow, Stage } from "./visitor.ts";

describe("/duo on two edges", { timeout: 60_000 }, () => {
  // The second edge lets in a page that came from the first, on a port nobody knows before.
  const cluster = new Cluster({ ALLOWED_ORIGINS: "*" }, { nats: 1, rooms: 1, edges: 2 });
  const stage = new Stage(cluster);

  beforeAll(() => stage.start(), 60_000);
  afterAll(() => stage.stop());

  it("fills the gap of a side whose edge is killed and started again", async () => {
    const { page, complaints } = await stage.visit({}, `/duo?edges=${cluster.edges.join()}`);
    const { ann, bob } = sides(page);
    await ann.getByText("Connected · 2 here").waitFor();
    await ann.getByText(/^edge-0 · seq \d+$/).waitFor();
    await bob.getByText(/^edge-1 · seq \d+$/).waitFor();
    await say(ann, "can you see this?");
    await bob.getByText("can you see this?").waitFor();
    await cluster.killEdge(1);
    await bob.getByText(/^Connection lost\./).waitFor();
    for (const text of ["one", "two", "three"]) await say(ann, text);
    await say(bob, "from the dark");
    await cluster.startEdge(1);
    await reconnectNow(bob);
    await bob.getByText("Recovered 3 messages").waitFor();
    await ann.getByText("from the dark").waitFor();
    const order = ["can you see this?", "one", "two", "three", "from the dark"];
    for (const side of [ann, bob]) {
      await eventually("both sides to be the same", async () => (await texts(side)).join() === order.join());
    }
    expect(await bob.locator(".row.missed").count()).toBe(3);
    expect(complaints.filter((complaint) => !REFUSED.test(complaint))).toEqual([]);
  });
});
