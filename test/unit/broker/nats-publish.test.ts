import { connect } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { FIXED } from "../../../services/limits.ts";
import { message, room, say, seqsOf, textsOf } from "../../contract/events.ts";
import { Recorder } from "../../contract/recorder.ts";
import { eventually, within } from "../../support/eventually.ts";
import { through, useNats } from "../../support/nats-fixture.ts";

const LOBBY = room("lobby");
/** How much later than promised an answer may come on a busy machine, in milliseconds. */
const LEEWAY_MS = 1_000;

describe("publishing through a network that fails", () => {
  const nats = useNats({ size: 1 });

  it("stores once what was stored but whose acknowledgement was lost", async () => {
    const proxy = await nats.proxy();
    const broker = await nats.open({ servers: through(proxy) });
    const direct = await nats.open();
    const heard = new Recorder();
    await direct.subscribe(LOBBY, heard);
    proxy.swallow("down");
    const published = broker.publish(LOBBY, message(LOBBY, "once"), { dedupeId: "id-1" });
    const nameless = say(broker, LOBBY, "without an id");
    await heard.texts(2);
    proxy.reset();
    proxy.heal();
    const { seq } = await published;
    expect(await nameless).toMatchObject({ duplicate: false });
    expect(broker.counts.retried).toBeGreaterThan(0);
    const { events } = await direct.history(LOBBY, { limit: 10 });
    expect(textsOf(events).sort()).toEqual(["once", "without an id"]);
    expect(seqsOf(events)).toContain(seq);
  });

  it("keeps a lane's order while connections break", async () => {
    const proxy = await nats.proxy();
    const broker = await nats.open({ servers: through(proxy) });
    const lanes = ["a", "b", "c"].map((name) => ({ name, lane: {} }));
    const numbers = Array.from({ length: 1_000 }, (_, index) => index);
    const publishing: Promise<unknown>[] = [];
    for (let cuts = 0; cuts < 5; cuts++) {
      proxy.cutAfter(20_000);
      // Said after the cut is armed, so that enough goes through it however quickly the rest was stored.
      for (const number of numbers.slice(cuts * 200, (cuts + 1) * 200)) {
        for (const { name, lane } of lanes) {
          publishing.push(broker.publish(LOBBY, message(LOBBY, `${name}${number}`), { lane }));
        }
      }
      await eventually(
        "the cut",
        () => nats.lines.filter(({ msg }) => msg === "connected to NATS again").length > cuts,
      );
    }
    await Promise.all(publishing);
    const texts = textsOf((await broker.history(LOBBY, { limit: 10_000 })).events);
    for (const { name } of lanes) {
      expect(texts.filter((text) => text.startsWith(name))).toEqual(numbers.map((number) => `${name}${number}`));
    }
  });

  it("keeps a lane's order while the server is frozen and killed", async () => {
    const [server] = nats.servers.nodes;
    const broker = await nats.open();
    const lanes = ["a", "b", "c"].map((name) => ({ name, lane: {} }));
    const stored: string[] = [];
    let going = true;
    const talk = async ({ name, lane }: (typeof lanes)[number]): Promise<void> => {
      const publishing: Promise<unknown>[] = [];
      for (let number = 0; going; number++) {
        const text = `${name}${number}`;
        publishing.push(broker.publish(LOBBY, message(LOBBY, text), { lane }).then(() => stored.push(text)));
        if (number % 32 === 31) await publishing[number - 31];
      }
      await Promise.all(publishing);
    };
    const talking = Promise.all(lanes.map(talk));
    for (const fault of ["frozen", "killed", "killed"]) {
      const before = stored.length;
      await eventually("messages to be stored", () => stored.length > before + 300);
      const { retried } = broker.counts;
      if (fault === "frozen") server?.pause();
      else await server?.kill();
      await eventually("messages to be tried again", () => broker.counts.retried > retried);
      if (fault === "frozen") server?.resume();
      else server?.start();
    }
    const before = stored.length;
    await eventually("messages to be stored again", () => stored.length > before + 300);
    going = false;
    await talking;
    const texts = textsOf((await broker.history(LOBBY, { limit: 100_000 })).events);
    expect(texts).toHaveLength(stored.length);
    for (const { name } of lanes) {
      const own = texts.filter((text) => text.startsWith(name));
      expect(own).toEqual(own.map((_, number) => `${name}${number}`));
    }
  });

  it("answers unavailable in time, also to everything behind in the lane, and goes on when the network heals", async () => {
    const proxy = await nats.proxy();
    const broker = await nats.open({ servers: through(proxy) });
    const lane = {};
    await broker.publish(LOBBY, message(LOBBY, "before"), { lane });
    proxy.swallow();
    const started = performance.now();
    const settled = await within(
      FIXED.requestMs + LEEWAY_MS,
      "every publish to be answered",
      Promise.allSettled([
        ...Array.from({ length: 20 }, (_, index) => broker.publish(LOBBY, message(LOBBY, `m${index}`), { lane })),
        say(broker, LOBBY, "without a lane"),
        broker.control.put("a", new Uint8Array([1])),
      ]),
    );
    for (const outcome of settled) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { reason: "unavailable", retryable: true } });
    }
    expect(performance.now() - started).toBeGreaterThan(FIXED.requestMs - LEEWAY_MS);
    proxy.reset();
    proxy.heal();
    await eventually("the broker to be well", () => broker.health().ok);
    await broker.publish(LOBBY, message(LOBBY, "after"), { lane });
    const texts = textsOf((await broker.history(LOBBY, { limit: 100 })).events);
    expect([texts[0], texts.at(-1)]).toEqual(["before", "after"]);
    // What was tried last may have been stored; what waited behind it was never sent.
    expect(texts).not.toContain("m1");
  });

  it("refuses what would be one too many to wait, and stores the others", async () => {
    const broker = await nats.open();
    const event = message(LOBBY, "x");
    const window = 1_000;
    const waiting = 10_000;
    const publishing = Array.from({ length: window + waiting }, () => broker.publish(LOBBY, event));
    const refused = await broker.publish(LOBBY, event).catch((error: unknown) => error);
    expect(refused).toMatchObject({ reason: "unavailable", message: "too many messages wait to be stored" });
    const stored = await Promise.all(publishing);
    expect(await broker.logEnd()).toBe(stored.length);
    await broker.publish(LOBBY, event);
  });

  it("passes the server's own refusal on, and does not hold up what is behind it", async () => {
    const broker = await nats.open();
    const lane = {};
    const tooLarge = broker.publish(LOBBY, message(LOBBY, "x".repeat(2 * 1024 * 1024)), { lane });
    const next = broker.publish(LOBBY, message(LOBBY, "next"), { lane });
    await expect(tooLarge).rejects.toThrow("max_payload");
    await next;
    expect(textsOf((await broker.history(LOBBY, { limit: 10 })).events)).toEqual(["next"]);
  });
});

describe("what goes over the wire", () => {
  const nats = useNats({ size: 1 });

  it("are encoded subjects and no others, whatever an id holds", async () => {
    const broker = await nats.open();
    const spy = await connect({ servers: nats.servers.urls });
    nats.onEnd(() => spy.close());
    const subjects = new Set<string>();
    spy.subscribe(">", { callback: (_error, { subject }) => void subjects.add(subject) });
    await spy.flush();
    const ids = [
      "*",
      ">",
      "a.*",
      "a b",
      "a\r\nPUB x 1\r\n\r\nx\r\n",
      "\t",
      "\0",
      "a..b",
      ".",
      "$SYS.x",
      "$JS.API.STREAM.DELETE.x",
      "_INBOX.x",
      "é",
      "👋🏽",
      "%2e",
      "../x",
      "",
      "x".repeat(5_000),
      "direct:*:>",
    ];
    for (const id of ids) {
      // Such strings are no RoomId: parseRoomId refuses them. This is the wall behind that one.
      const bad = id as typeof LOBBY;
      const outcome = await say(broker, bad, "hello").then(
        () => "stored",
        (error: Error) => error.name,
      );
      expect(outcome, JSON.stringify(id.slice(0, 20))).toBe(id === "" || id.length > 1_000 ? "RangeError" : "stored");
      const key = await broker.control.put(`room.${id}`, new Uint8Array()).catch((error: Error) => error.name);
      expect(key, JSON.stringify(id.slice(0, 20))).toEqual(id === "_INBOX.x" ? expect.any(Number) : "RangeError");
    }
    await say(broker, LOBBY, "end");
    await eventually("the spy to hear the end", () => subjects.has(nats.names.live(LOBBY)));
    const [prefix] = nats.names.allLog.split(".");
    const ours = new RegExp(`^${prefix}\\.(log|live)\\.[rd]\\.[A-Za-z0-9_=-]+$`);
    const theirs = /^(\$JS\.(API|ACK|FC|EVENT)\.|_INBOX\.[A-Za-z0-9]+(\.|$)|\$KV\.)/;
    expect([...subjects].filter((subject) => !ours.test(subject) && !theirs.test(subject))).toEqual([]);
    expect(broker.health()).toEqual({ ok: true });
    expect(nats.lines.filter(({ msg }) => msg === "connection to NATS lost")).toEqual([]);
  });
});
