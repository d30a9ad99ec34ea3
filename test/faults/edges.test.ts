import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RoomClient } from "../../client/src/index.ts";
import { getNatsServers } from "../../scripts/get-nats-server.ts";
import { Balancer } from "../support/balancer.ts";
import { TestClient } from "../support/client.ts";
import { Cluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { Load } from "../support/load.ts";
import { members, presenceIs } from "../support/presence-truth.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { NO_TRAFFIC_LIMITS } from "../support/topology.ts";

const MEMBERS = 500;
const ROOMS = 20;
/** A killed edge's members are gone at the latest this long after its last renewal. */
const GONE_MS = 15_000;

/** Edge 0 reaches NATS through these. */
const links: TcpProxy[] = [];
const newest = (await getNatsServers(process.env)).at(-1);
const cluster = new Cluster(
  { ...NO_TRAFFIC_LIMITS },
  {
    ...(newest === undefined ? {} : { server: newest }),
    natsPorts: async (edge, ports) => {
      if (edge !== 0) return ports;
      while (links.length < ports.length) links.push(await TcpProxy.start(ports[links.length] ?? 0));
      return links.map((link) => link.port);
    },
  },
);
let balancer: Balancer;

beforeAll(async () => {
  await cluster.start();
  balancer = await Balancer.start(() => cluster.edges.map((edge) => Number(new URL(edge).port)));
}, 90_000);
afterAll(async () => {
  await balancer.close();
  await cluster.stop();
  await Promise.all(links.map((link) => link.close()));
}, 40_000);

const room = (index: number): string => `crowd-${index % ROOMS}`;

describe("an edge", () => {
  it("killed with 500 members in 20 rooms: each leaves once, within 15 s, and who came back in time never left", async () => {
    const [watchedEdge = "", otherEdge = ""] = [cluster.edges[1], cluster.edges[2]];
    const observers = await Promise.all(
      Array.from({ length: ROOMS }, (_, index) =>
        TestClient.connect(index % 2 ? watchedEdge : otherEdge, { query: { room_id: room(index) } }),
      ),
    );
    await Promise.all(observers.map((observer) => observer.next("room_joined")));
    const doomed = await Promise.all(
      Array.from({ length: MEMBERS }, (_, index) =>
        TestClient.connect(cluster.edges[0] ?? "", { query: { room_id: room(index) } }),
      ),
    );
    await Promise.all(doomed.map((client) => client.next("room_joined", () => true, { withinMs: 30_000 })));
    const killedAt = performance.now();
    await cluster.killEdge(0);
    // One in ten comes back elsewhere within its grace, as the same guest.
    const back = doomed.filter((_, index) => index % 10 === 0);
    const returned = await Promise.all(
      back.map(async (old, index) => {
        const client = await TestClient.connect(index % 2 ? watchedEdge : otherEdge);
        await client.request("login", { session: old.welcome.session });
        await client.request("join_room", { room_id: room(doomed.indexOf(old)) });
        return client;
      }),
    );
    expect(returned.map((client) => client.uid)).toEqual(back.map((client) => client.uid));
    const gone = new Set(doomed.filter((client) => !back.includes(client)).map((client) => client.uid));
    for (const [index, observer] of observers.entries()) {
      const expected = doomed
        .filter((client, one) => one % ROOMS === index && gone.has(client.uid))
        .map((client) => client.uid);
      await eventually(
        `everyone of ${room(index)} to have left`,
        () => observer.all("member_left").length >= expected.length,
        { withinMs: GONE_MS + 5_000 },
      );
      expect(
        observer
          .all("member_left")
          .map((frame) => frame.payload.uid)
          .sort(),
      ).toEqual(expected.sort());
    }
    const tookMs = performance.now() - killedAt;
    process.stdout.write(`${gone.size} members of a killed edge left after ${Math.round(tookMs)} ms, each once\n`);
    expect(tookMs).toBeLessThan(GONE_MS);
    // Nobody who came back was ever said to have left or joined again.
    const uids = new Set(back.map((client) => client.uid));
    const flaps = observers.flatMap((observer) => [...observer.all("member_left"), ...observer.all("member_joined")]);
    const joined = flaps.filter((frame) => frame.type === "member_joined" && uids.has(frame.payload.uid));
    expect(joined.length).toBeLessThanOrEqual(uids.size);
    await cluster.startEdge(0);
    await Promise.all([...observers, ...returned].map((client) => client.close()));
  }, 120_000);

  it("cut off from NATS keeps its sockets, says unavailable, and heals", async () => {
    const client = await TestClient.connect(cluster.edges[0] ?? "", { query: { room_id: "cut-off" } });
    const elsewhere = await TestClient.connect(cluster.edges[1] ?? "", { query: { room_id: "cut-off" } });
    await Promise.all([client.next("room_joined"), elsewhere.next("room_joined")]);
    for (const link of links) link.swallow();
    expect(await client.refused("send_message", { message: "into the void" })).toMatchObject({
      code: "unavailable",
      retryable: true,
    });
    const missed = await elsewhere.say("cut-off", "while you were away");
    for (const link of links) {
      link.heal();
      link.reset();
    }
    const heard = await client.next("new_message", (payload) => payload.seq === missed.seq, { withinMs: 20_000 });
    expect(heard.payload.message).toBe("while you were away");
    await eventually("the edge to publish again", async () => (await client.say("cut-off", "back")).seq > missed.seq, {
      withinMs: 20_000,
    });
    expect(client.isOpen).toBe(true);
    await presenceIs(cluster.rpcs, "cut-off", [client.uid, elsewhere.uid], 20_000);
    await Promise.all([client.close(), elsewhere.close()]);
  }, 90_000);

  it("whose link to NATS resets again and again loses nothing", async () => {
    const load = new Load(["reset-loop"]);
    const port = Number(new URL(cluster.edges[0] ?? "").port);
    await load.start(`ws://127.0.0.1:${port}/ws`, 5);
    for (let time = 0; time < 5; time++) {
      for (const link of links) link.reset();
      await load.more(20, "after a reset of the link to NATS", 20_000);
    }
    await load.settle();
    expect(await load.verify(cluster.rpcs[0] ?? "")).toMatchObject({
      lost: [],
      duplicated: [],
      disordered: [],
      holes: [],
    });
    load.close();
  }, 120_000);

  it("whose acks never arrive makes clients retry, and everything is stored once", async () => {
    const acks = await TcpProxy.start(Number(new URL(cluster.edges[1] ?? "").port));
    const client = new RoomClient(`ws://127.0.0.1:${acks.port}/ws`, { requestTimeoutMs: 500, random: () => 0.1 });
    const { room: joined } = await client.join("no-acks");
    acks.swallow("down");
    const sent = joined.send("once");
    const witness = await TestClient.connect(cluster.edges[2] ?? "", { query: { room_id: "no-acks" } });
    await witness.next("room_joined");
    await eventually(
      "the message to be stored",
      async () =>
        (await joined.history().catch(() => undefined)) !== undefined ||
        (await witness.request("get_history", { room_id: "no-acks" })).events.length > 0,
    );
    acks.heal();
    acks.reset();
    const { seq } = await sent;
    const { events } = await witness.request("get_history", { room_id: "no-acks" });
    expect(events.map((event) => event.payload.seq)).toEqual([seq]);
    client.close();
    await witness.close();
    await acks.close();
  }, 60_000);
});

describe("without RoomService", () => {
  it("rooms go on, joins are unavailable, and nobody seems to have left afterwards", async () => {
    const [ann, bob] = await Promise.all(
      [1, 2].map((edge) => TestClient.connect(cluster.edges[edge] ?? "", { query: { room_id: "orphans" } })),
    );
    if (!ann || !bob) throw new Error("two clients are needed");
    await Promise.all([ann.next("room_joined"), bob.next("room_joined")]);
    await eventually("both to be listed", async () => (await members(cluster.rpcs[0] ?? "", "orphans")).length === 2);
    await Promise.all([cluster.killRoom(0), cluster.killRoom(1)]);
    const { seq } = await ann.say("orphans", "anybody?");
    await bob.next("new_message", (payload) => payload.seq === seq);
    expect(await bob.refused("join_room", { room_id: "another" })).toMatchObject({
      code: "unavailable",
      retryable: true,
    });
    await cluster.startRoom(0);
    await cluster.startRoom(1);
    await eventually(
      "joins to work again",
      async () => (await bob.request("join_room", { room_id: "another" })).count > 0,
      { withinMs: 30_000 },
    );
    await presenceIs(cluster.rpcs, "orphans", [ann.uid, bob.uid], 20_000);
    for (const client of [ann, bob]) expect(client.all("member_left")).toEqual([]);
    await Promise.all([ann.close(), bob.close()]);
  }, 90_000);
});

describe("500 clients that come back at once", () => {
  it("are all back, exactly where they were", async () => {
    const clients = Array.from({ length: MEMBERS }, () => new RoomClient(`ws://127.0.0.1:${balancer.port}/ws`));
    const rooms = await Promise.all(
      clients.map(async (client, index) => (await client.join(`storm-${index % ROOMS}`)).room),
    );
    const heard = rooms.map((one) => {
      const texts: string[] = [];
      one.on("message", (message) => texts.push(message.message));
      return texts;
    });
    const victims = clients.filter((client) => client.self?.edgeId === "edge-1").length;
    const startedAt = performance.now();
    await cluster.killEdge(1);
    const speaker = await TestClient.connect(cluster.edges[0] ?? "");
    for (let index = 0; index < ROOMS; index++) {
      await speaker.request("join_room", { room_id: `storm-${index}` });
      await speaker.say(`storm-${index}`, "welcome back");
    }
    await eventually("everyone to hear what was said meanwhile", () => heard.every((texts) => texts.length > 0), {
      withinMs: 30_000,
      state: () => heard.filter((texts) => texts.length === 0).length,
    });
    process.stdout.write(
      `${victims} clients of a killed edge were back after ${Math.round(performance.now() - startedAt)} ms\n`,
    );
    expect(heard.every((texts) => texts.join() === "welcome back")).toBe(true);
    await cluster.startEdge(1);
    for (const client of clients) client.close();
    await speaker.close();
  }, 90_000);
});
