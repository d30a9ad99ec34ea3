import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { connect } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { backUp, restore } from "../../../broker/backup.ts";
import type { Broker } from "../../../broker/broker.ts";
import { EventSchema } from "../../../gen/baccarat/v1/event_pb.ts";
import { type Config, parseConfig } from "../../../services/config.ts";
import type { RoomId } from "../../../services/ids.ts";
import { useNats } from "../../support/nats-fixture.ts";

const ROOM = "kept" as RoomId;

async function store(broker: Broker, message: string): Promise<number> {
  const body = { case: "message", value: { uid: "ann", message } } as const;
  return (await broker.publish(ROOM, create(EventSchema, { roomId: ROOM, body }))).seq;
}

async function stored(broker: Broker) {
  const { events, seq } = await broker.history(ROOM, { after: 0, limit: 300 });
  return { seq, events: events.map(({ seq: at, event }) => [at, event.body]) };
}

/** What onBytes is told: it only grows, and never past the whole. */
class Progress {
  readonly streams: string[] = [];
  done = 0;

  readonly onBytes = (stream: string, done: number, of: number): void => {
    if (this.streams.at(-1) === stream) expect(done).toBeGreaterThanOrEqual(this.done);
    else this.streams.push(stream);
    expect(done).toBeLessThanOrEqual(of);
    this.done = done;
  };
}

describe("a backup of NATS", () => {
  const nats = useNats({ size: 1 });

  function configOf(prefix = nats.names.logStream.replace("_LOG", "").toLowerCase()): Config {
    const parsed = parseConfig({ NATS_URL: nats.servers.urls.join(","), NATS_PREFIX: prefix }, "room");
    if (!parsed.ok) throw new Error(parsed.mistakes.join("; "));
    return parsed.config;
  }

  async function directoryOf(): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), "baccarat-nats-backup-"));
    nats.onEnd(() => rm(directory, { recursive: true }));
    return join(directory, "backup");
  }

  it("has what was stored, keys included, and comes back under another epoch", async () => {
    const broker = await nats.open();
    const place = { config: configOf(), directory: await directoryOf(), log: nats.log };
    const { logStream, controlStream } = nats.names;
    // More than a chunk, and more than the server sends before it hears that chunks were taken.
    for (let number = 0; number < 300; number++) await store(broker, `${number} ${"x".repeat(4_000)}`);
    await broker.control.put("room.kept", Uint8Array.of(1, 2, 3));
    const before = await stored(broker);
    const written = new Progress();
    const parts = await backUp({ ...place, onBytes: written.onBytes });
    expect(written.streams).toEqual([controlStream, logStream]);
    expect(parts.map(({ name }) => name)).toEqual([controlStream, logStream]);
    expect(parts[1]?.messages).toBe(300);
    await store(broker, "after the backup");
    await broker.close();

    await expect(restore(place)).rejects.toThrow("delete it first");
    const owner = await connect({ servers: nats.servers.urls });
    for (const stream of [logStream, controlStream]) await owner.request(`$JS.API.STREAM.DELETE.${stream}`);
    await owner.close();
    const read = new Progress();
    const epoch = await restore({ ...place, onBytes: read.onBytes });
    expect(read.streams).toEqual([controlStream, logStream]);
    expect(read.done).toEqual((await stat(join(place.directory, logStream, "stream.tar.s2"))).size);
    expect(epoch).not.toBe(broker.epoch);
    const restored = await nats.open();
    expect(restored.epoch).toBe(epoch);
    expect(await stored(restored)).toEqual(before);
    expect((await restored.control.get("room.kept"))?.value).toEqual(Uint8Array.of(1, 2, 3));
    expect(await store(restored, "it goes on")).toBeGreaterThan(before.seq);
  });

  it("is for its owner only, and overwrites nothing", async () => {
    const broker = await nats.open();
    await store(broker, "one");
    const place = { config: configOf(), directory: await directoryOf(), log: nats.log };
    await backUp(place);
    const directory = join(place.directory, nats.names.logStream);
    expect((await readdir(directory)).sort()).toEqual(["backup.json", "stream.tar.s2"]);
    for (const name of await readdir(directory)) expect((await stat(join(directory, name))).mode & 0o077).toBe(0);
    const text = await readFile(join(directory, "backup.json"), "utf8");
    expect(JSON.parse(text)).toMatchObject({ config: { name: nats.names.logStream }, state: { messages: 1 } });
    await expect(backUp(place)).rejects.toThrow("EEXIST");
    expect(await readFile(join(directory, "backup.json"), "utf8")).toBe(text);
  });

  it("says what is missing", async () => {
    await nats.open();
    const place = { config: configOf("none"), directory: await directoryOf(), log: nats.log };
    await expect(backUp(place)).rejects.toThrow("stream not found");
    await expect(restore(place)).rejects.toThrow("ENOENT");
  });
});
