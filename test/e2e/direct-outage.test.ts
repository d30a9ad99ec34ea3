import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FrameError, type TestClient } from "../support/client.ts";
import { Cluster } from "../support/cluster.ts";
import { Crowd, texts } from "../support/crowd.ts";
import { eventually } from "../support/eventually.ts";
import { NO_TRAFFIC_LIMITS } from "../support/topology.ts";

/** How long a welcome may wait for the control plane, and some time for a busy machine, in milliseconds. */
const WELCOME_MS = 3_000;

const cluster = new Cluster(NO_TRAFFIC_LIMITS, { nats: 1, rooms: 1, edges: 2 });

beforeAll(() => cluster.start(), 60_000);
afterAll(() => cluster.stop(), 30_000);

function tell(from: TestClient, to: string, message: string) {
  return from.request("send_message", { to_uid: to, message });
}

/** Asks or tells: `ok`, or why not. */
async function outcome(asked: Promise<unknown>): Promise<string> {
  try {
    await asked;
    return "ok";
  } catch (error) {
    if (error instanceof FrameError) return error.payload.code;
    throw error;
  }
}

describe("direct messages without a RoomService", { timeout: 60_000 }, () => {
  it("go on, keep to blocks, and are told of once it is back", async () => {
    await using crowd = new Crowd(cluster);
    const [ann, bob] = [await crowd.connect({ edge: 0 }), await crowd.connect({ edge: 1 })];
    const [cyd, dan] = [await crowd.connect({ edge: 0 }), await crowd.connect({ edge: 0 })];
    const { room_id } = await tell(ann, bob.uid, "before");
    await bob.next("new_message");
    await bob.request("block_user", { uid: dan.uid });
    // Who never wrote is refused all the same.
    await eventually("the block", async () => (await outcome(tell(dan, bob.uid, "x"))) === "permission_denied");
    await cyd.request("block_user", { uid: dan.uid });
    await cluster.killRoom(0);
    await eventually(
      "the outage to be noticed",
      async () => (await outcome(ann.request("get_conversations"))) === "unavailable",
      { withinMs: 20_000 },
    );

    await tell(ann, bob.uid, "to one known before");
    await tell(cyd, bob.uid, "to one not known before");
    expect(await outcome(tell(dan, bob.uid, "x"))).toBe("permission_denied");
    expect(await outcome(tell(dan, cyd.uid, "x"))).toBe("permission_denied");
    expect(await outcome(tell(ann, "nobody-ever", "x"))).toBe("unavailable");
    expect(await outcome(bob.request("block_user", { uid: ann.uid }))).toBe("unavailable");
    await eventually("both messages", () => bob.all("new_message").length === 3);

    await bob.close();
    const missed = await tell(ann, bob.uid, "while away");
    const startedAt = performance.now();
    const back = await crowd.resume(bob.welcome.session, { edge: 1 });
    expect(performance.now() - startedAt).toBeLessThan(WELCOME_MS);
    expect(back.welcome.direct).toEqual([]);
    expect((await back.next("error")).payload).toMatchObject({ code: "unavailable", request_type: "login" });
    const live = await tell(ann, bob.uid, "live");
    await back.next("new_message", ({ seq }) => seq === live.seq);

    await cluster.startRoom(0);
    const { payload } = await back.next("truncated", undefined, { withinMs: 20_000 });
    expect(payload.rooms).toContain(room_id);
    const page = await back.request("get_history", { room_id, after_seq: missed.seq - 1 });
    expect(texts(page)).toEqual(["while away", "live"]);
    const { conversations } = await back.request("get_conversations");
    expect(conversations.map(({ uid }) => uid)).toEqual([ann.uid, cyd.uid]);
  });
});
