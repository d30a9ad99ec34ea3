import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Edge } from "../../../edge/edge.ts";
import type { TestClient } from "../../support/client.ts";
import { eventually } from "../../support/eventually.ts";
import { FaultyBroker } from "./faulty-broker.ts";
import { InProcess } from "./in-process.ts";
import { ScriptedService } from "./scripted-service.ts";

/** Within this time a lost tail is found, in milliseconds, as the protocol promises. */
const TAIL_MS = 10_000;

let product: InProcess;
let broker: FaultyBroker;
let sound: Edge;
let faulty: Edge;
let rooms = 0;

beforeAll(async () => {
  product = await InProcess.start({ losesLive: true });
  broker = new FaultyBroker(product.broker);
  sound = await product.edge();
  faulty = await product.edge({ broker });
});
afterAll(async () => {
  await product[Symbol.asyncDispose]();
});

const newRoom = (): string => `fault-${++rooms}`;

async function member(room: string, at: Edge): Promise<TestClient> {
  const client = await product.client(at);
  await client.request("join_room", { room_id: room });
  return client;
}

/** Waits until the edge has looked at a newly subscribed room twice: what it finds later, it finds by other means. */
async function settled(room: string): Promise<void> {
  await eventually("the rechecks of a new subscription", () => (broker.reads.get(room) ?? 0) >= 2);
}

async function resets(): Promise<number> {
  const { values } = await product.metrics.refillsTotal.get();
  return values.find(({ labels }) => labels.outcome === "reset")?.value ?? 0;
}

const heard = (client: TestClient): number[] => client.all("new_message").map(({ payload }) => payload.seq);

describe("an edge whose live feed loses events", () => {
  it("still tells its clients all of them, in order and once", { timeout: 60_000 }, async () => {
    const room = newRoom();
    const speaker = await member(room, sound);
    const listeners = await Promise.all([1, 2, 3].map(() => member(room, faulty)));
    let live = 0;
    broker.isLost = () => live++ % 3 === 0;
    const said: number[] = [];
    for (let n = 0; n < 30; n++) {
      const burst = Array.from({ length: 5 }, (_, index) => speaker.say(room, `${n}.${index}`));
      said.push(...(await Promise.all(burst)).map(({ seq }) => seq));
    }
    for (const listener of listeners) {
      await eventually("the last event", () => heard(listener).at(-1) === said.at(-1), { withinMs: TAIL_MS });
      expect(heard(listener)).toEqual(said);
    }
    broker.isLost = () => false;
  });

  it("finds a quiet room's only event", { timeout: 20_000 }, async () => {
    const room = newRoom();
    const [speaker, listener] = [await member(room, sound), await member(room, faulty)];
    await settled(room);
    broker.isLost = () => true;
    const { seq } = await speaker.say(room, "hello?");
    await eventually("the event", () => heard(listener).includes(seq), { withinMs: TAIL_MS });
    broker.isLost = () => false;
  });

  it("looks at once when the broker is well again", async () => {
    const room = newRoom();
    const [speaker, listener] = [await member(room, sound), await member(room, faulty)];
    await settled(room);
    broker.setHealth({ ok: false, reason: "cut off" });
    expect(faulty.notReady()).toEqual(["broker: cut off"]);
    broker.isLost = () => true;
    const { seq } = await speaker.say(room, "anybody?");
    broker.isLost = () => false;
    broker.setHealth({ ok: true });
    await listener.next("new_message", (payload) => payload.seq === seq, { withinMs: 1_000 });
    expect(faulty.notReady()).toEqual([]);
  });

  it("recovers exactly what a client missed although it does not know of it itself", async () => {
    const room = newRoom();
    const [speaker, listener] = [await member(room, sound), await member(room, faulty)];
    const { seq: first } = await speaker.say(room, "first");
    await listener.next("new_message");
    const { epoch } = await listener.request("join_room", { room_id: room });
    broker.isLost = () => true;
    const { seq: second } = await speaker.say(room, "second");
    const late = await product.client(faulty);
    const joined = await late.request("join_room", { room_id: room, since: { epoch, seq: first } });
    expect(joined).toMatchObject({ recovered: true });
    expect(joined.events.map(({ payload }) => payload.seq)).toEqual([second]);
    broker.isLost = () => false;
    const { seq: third } = await speaker.say(room, "third");
    await late.next("new_message", ({ seq }) => seq === third);
    await listener.next("new_message", ({ seq }) => seq === third);
    expect(heard(late)).toEqual([third]);
    expect(heard(listener)).toEqual([first, second, third]);
  });

  it("reads again until the log can be read", async () => {
    const room = newRoom();
    const [speaker, listener] = [await member(room, sound), await member(room, faulty)];
    const { seq: first } = await speaker.say(room, "first");
    await listener.next("new_message", ({ seq }) => seq === first);
    broker.readsFail = true;
    broker.isLost = ({ event }) => event.body.case === "message" && event.body.value.message === "lost";
    await speaker.say(room, "lost");
    const { seq: third } = await speaker.say(room, "third");
    const stuck = await product.client(faulty);
    expect(await stuck.refused("join_room", { room_id: newRoom() })).toMatchObject({ code: "unavailable" });
    broker.readsFail = false;
    await listener.next("new_message", ({ seq }) => seq === third);
    expect(heard(listener)).toHaveLength(3);
    broker.isLost = () => false;
  });

  it("tells both users of a conversation everything too", async () => {
    const [ann, bob] = [await product.client(sound), await product.client(faulty)];
    const send = (message: string) => ann.request("send_message", { message, to_uid: bob.uid });
    const { seq: first } = await send("first");
    await bob.next("new_message", ({ seq }) => seq === first);
    broker.isLost = ({ event }) => event.body.case === "message" && event.body.value.message === "lost";
    const { seq: second } = await send("lost");
    const { seq: third } = await send("third");
    await bob.next("new_message", ({ seq }) => seq === third);
    expect(heard(bob)).toEqual([first, second, third]);
    broker.isLost = () => false;
  });
});

describe("a join during which the room's continuity is lost", () => {
  it("is asked again, and answered unavailable when that happens each time", async () => {
    const room = newRoom();
    const service = new ScriptedService();
    const edge = await product.edge({ broker, transports: [service.transport] });
    const client = await product.client(edge);
    const stream = await service.stream(0);
    const refused = client.refused("join_room", { room_id: room });
    const count = (kind: string) => stream.kinds().filter((one) => one === kind).length;
    broker.isForgetful = true;
    for (let asked = 1; asked <= 5; asked++) {
      await eventually(`join ${asked}`, () => count("join") === asked);
      const before = await resets();
      broker.setHealth({ ok: true });
      await eventually("the loss", async () => (await resets()) > before);
      await stream.reply("join", { case: "joined", value: {} });
    }
    expect(await refused).toMatchObject({ code: "unavailable" });
    await eventually("the membership to be given back", () => count("leave") === 1);
    expect(count("join")).toBe(5);
    broker.isForgetful = false;
  });
});

describe("an edge whose broker does not answer", () => {
  it("never acknowledges, and a retry tells what came of it", async () => {
    const room = newRoom();
    const [ann, listener] = [await member(room, faulty), await member(room, sound)];
    broker.publishesFail = true;
    const frame = { room_id: room, message: "stored or not?", client_msg_id: "k" };
    expect(await ann.refused("send_message", frame)).toMatchObject({ code: "unavailable", retryable: true });
    broker.publishesFail = false;
    const ack = await ann.request("send_message", frame);
    expect(ack.duplicate).toBe(true);
    await listener.next("new_message", ({ seq }) => seq === ack.seq);
    expect(heard(listener)).toEqual([ack.seq]);
  });
});
