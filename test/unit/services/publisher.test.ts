import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, property, string } from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Broker, StoredEvent } from "../../../broker/broker.ts";
import { openEmbeddedBroker } from "../../../broker/embedded.ts";
import type { RoomAccess, Service, User } from "../../../services/auth.ts";
import { parseRoomId, parseUid, type RoomId } from "../../../services/ids.ts";
import { createLog } from "../../../services/log.ts";
import { dedupeId, type MessageContent, Publisher } from "../../../services/publisher.ts";

const NOW = Date.parse("2023-12-04T01:35:59.834Z");

function room(id: string): RoomId {
  const parsed = parseRoomId(id);
  if (!parsed) throw new Error(`no room id: ${id}`);
  return parsed;
}

function user(parts: Partial<User> = {}): User {
  const uid = parseUid("percy");
  if (!uid) throw new Error("no uid");
  return {
    kind: "user",
    uid,
    username: "Percy",
    avatarId: "7",
    guest: false,
    roles: [],
    rooms: undefined,
    ...parts,
  };
}

const DEALER: Service = { kind: "service", name: "dealer", scopes: new Set(["publish"]) };
const READER: Service = { kind: "service", name: "reader", scopes: new Set(["read"]) };

function content(parts: Partial<MessageContent> = {}): MessageContent {
  return { message: "hello", imageUrl: "", from: "", toUid: "", key: "", ...parts };
}

describe("Publisher", () => {
  let directory: string;
  let broker: Broker;
  let publisher: Publisher;
  let rooms = 0;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "publisher-"));
    broker = await openEmbeddedBroker({
      dataDir: directory,
      retention: { maxMessages: 1_000, maxAgeMs: 3_600_000, maxBytes: 2 ** 30 },
      log: createLog({ level: "fatal" }),
    });
    publisher = new Publisher({ broker, now: () => NOW });
  });
  afterAll(async () => {
    await broker.close();
    await rm(directory, { recursive: true });
  });

  /** A room of the test's own, with its user in it. */
  function member(parts: Partial<RoomAccess> = {}): RoomAccess {
    return { room: room(`room-${++rooms}`), member: true, ...parts };
  }

  async function stored(access: RoomAccess): Promise<readonly StoredEvent[]> {
    return (await broker.history(access.room, { limit: 300, after: 0 })).events;
  }

  it("stores what a user wrote, under the user's own identity", async () => {
    const access = member();
    const published = await publisher.sendMessage(user(), access, content({ from: "the pope", key: "k1" }));
    expect(published.duplicate).toBe(false);
    const [event, ...rest] = await stored(access);
    expect(rest).toEqual([]);
    expect(event).toMatchObject({
      seq: published.seq,
      event: {
        roomId: access.room,
        sent: { seconds: BigInt(Math.floor(NOW / 1_000)), nanos: 834_000_000 },
        body: {
          case: "message",
          value: {
            uid: "percy",
            username: "Percy",
            avatarId: "7",
            from: "Percy",
            message: "hello",
            imageUrl: "",
            toUid: "",
            clientMsgId: "k1",
          },
        },
      },
    });
  });

  it.each<[string, User | Service, string]>([
    ["a guest", user({ guest: true }), "the pope"],
    ["a service", DEALER, "the pope"],
    ["a user who logged in", user(), "Percy"],
  ])("shows %s as %s", async (_, sender, shown) => {
    const { event } = await publisher.sendMessage(sender, member(), content({ from: "the pope" }));
    expect(event.body).toMatchObject({ value: { from: shown } });
  });

  it("stores a retry once, and tells it so", async () => {
    const access = member();
    const first = await publisher.sendMessage(user(), access, content({ key: "k" }));
    const retry = await publisher.sendMessage(user(), access, content({ key: "k" }));
    expect(retry).toMatchObject({ seq: first.seq, duplicate: true });
    expect(await stored(access)).toHaveLength(1);
  });

  it("takes another sender, room, text, picture or name under the same key for another message", async () => {
    const access = member();
    const anna = user({ uid: parseUid("anna") ?? user().uid });
    const guest = user({ guest: true });
    const published = [
      await publisher.sendMessage(user(), access, content({ key: "k" })),
      await publisher.sendMessage(anna, access, content({ key: "k" })),
      await publisher.sendMessage(user(), member(), content({ key: "k" })),
      await publisher.sendMessage(user(), access, content({ key: "k", message: "other" })),
      await publisher.sendMessage(user(), access, content({ key: "k", imageUrl: "https://a.example/b" })),
      await publisher.sendMessage(guest, access, content({ key: "k", from: "Percival" })),
      await publisher.sendMessage(user(), access, content()),
      await publisher.sendMessage(user(), access, content()),
    ];
    expect(published.map(({ duplicate }) => duplicate)).not.toContain(true);
    expect(new Set(published.map(({ seq }) => seq)).size).toBe(published.length);
  });

  it.each<[string, User | Service, Partial<RoomAccess>, string]>([
    ["outsiders", user(), { member: false }, "not_a_member"],
    ["the banned", user(), { bannedUntilMs: NOW + 1 }, "banned"],
    ["the muted", user(), { mutedUntilMs: NOW + 1 }, "muted"],
    ["anybody in a frozen room", user(), { frozen: true }, "permission_denied"],
    ["services without the scope", READER, {}, "permission_denied"],
  ])("refuses %s at once, and stores nothing", async (_, sender, parts, reason) => {
    const access = member(parts);
    expect(() => publisher.sendMessage(sender, access, content())).toThrow(expect.objectContaining({ reason }));
    expect(await stored(access)).toEqual([]);
  });

  it("says nothing about the content to those who may not publish", () => {
    const call = () => publisher.sendMessage(user(), member({ member: false }), content({ message: "" }));
    expect(call).toThrow(expect.objectContaining({ reason: "not_a_member" }));
  });

  it.each<[string, Partial<MessageContent>]>([
    ["the longest message", { message: "🂡".repeat(4_000) }],
    ["a picture alone", { message: "", imageUrl: "https://a.example/b.png" }],
    ["the longest picture address", { imageUrl: `https://a.example/${"x".repeat(2_030)}` }],
    ["the longest name and key", { from: "🂡".repeat(64), key: "🂡".repeat(64) }],
    ["white space", { message: " " }],
    ["markup, as it is", { message: "<script>alert(1)</script>\u0000\u202e" }],
  ])("takes %s", async (_, parts) => {
    const access = member();
    await publisher.sendMessage(user({ guest: true }), access, content(parts));
    const [event] = await stored(access);
    expect(event?.event.body).toMatchObject({ value: { message: parts.message ?? "hello" } });
  });

  it.each<[string, Partial<MessageContent>, string]>([
    ["one character too many", { message: "x".repeat(4_001) }, "message_too_large"],
    ["one astral character too many", { message: "🂡".repeat(4_001) }, "message_too_large"],
    ["nothing", { message: "" }, "invalid_argument"],
    ["a picture over http", { imageUrl: "http://a.example/b" }, "invalid_argument"],
    ["a picture by script", { imageUrl: "javascript:alert(1)" }, "invalid_argument"],
    ["a picture in itself", { imageUrl: "data:image/png;base64,AA" }, "invalid_argument"],
    ["a picture nowhere", { imageUrl: "https://" }, "invalid_argument"],
    ["a picture address too long", { imageUrl: `https://a.example/${"x".repeat(2_031)}` }, "invalid_argument"],
    ["a name too long", { from: "x".repeat(65) }, "invalid_argument"],
    ["a key too long", { key: "x".repeat(65) }, "invalid_argument"],
  ])("refuses %s", (_, parts, reason) => {
    expect(() => publisher.sendMessage(user(), member(), content(parts))).toThrow(expect.objectContaining({ reason }));
  });

  it("stores services' own events", async () => {
    const access = member();
    const custom = { type: "table.result", dataJson: '{"winner":"banker"}', snapshotKey: "", key: "r1" };
    const first = await publisher.publishEvent(DEALER, access, custom);
    const retry = await publisher.publishEvent(DEALER, access, custom);
    expect(retry).toMatchObject({ seq: first.seq, duplicate: true });
    const [event] = await stored(access);
    expect(event?.event.body).toMatchObject({
      case: "customEvent",
      value: { type: "table.result", dataJson: '{"winner":"banker"}', byUid: "service:dealer" },
    });
  });

  it("stores an event with its snapshot key, which tells retries apart", async () => {
    const access = member();
    const custom = { type: "table.result", dataJson: "1", snapshotKey: "result", key: "r1" };
    const first = await publisher.publishEvent(DEALER, access, custom);
    expect(await publisher.publishEvent(DEALER, access, custom)).toMatchObject({ seq: first.seq, duplicate: true });
    const other = await publisher.publishEvent(DEALER, access, { ...custom, snapshotKey: "" });
    expect(other.duplicate).toBe(false);
    const bodies = (await stored(access)).map(({ event }) => event.body.value);
    expect(bodies).toMatchObject([{ snapshotKey: "result" }, { snapshotKey: "" }]);
  });

  it.each<[string, { type?: string; dataJson?: string; snapshotKey?: string; key?: string }, string]>([
    ["a type of the server", { type: "new_message" }, "invalid_argument"],
    ["a type without end", { type: `a.${"b".repeat(63)}` }, "invalid_argument"],
    ["too much data", { dataJson: `"${"x".repeat(32 * 1_024 - 1)}"` }, "message_too_large"],
    ["too much data in bytes", { dataJson: `"${"é".repeat(16 * 1_024)}"` }, "message_too_large"],
    ["a key too long", { key: "x".repeat(65) }, "invalid_argument"],
    ["a snapshot key too long", { snapshotKey: "x".repeat(65) }, "invalid_argument"],
    ["a snapshot key of other characters", { snapshotKey: "a b" }, "invalid_argument"],
  ])("refuses an event of %s", (_, parts, reason) => {
    const custom = { type: "table.result", dataJson: "{}", snapshotKey: "", key: "", ...parts };
    const call = () => publisher.publishEvent(DEALER, member(), custom);
    expect(call).toThrow(expect.objectContaining({ reason }));
  });

  it("takes as much data as is allowed", async () => {
    const dataJson = `"${"x".repeat(32 * 1_024 - 2)}"`;
    const published = await publisher.publishEvent(DEALER, member(), {
      type: "a.b",
      dataJson,
      snapshotKey: "",
      key: "",
    });
    expect(published.seq).toBeGreaterThan(0);
  });

  it("stores a deletion once, whoever asks for it, and the body is gone", async () => {
    const access = member();
    const { seq } = await publisher.sendMessage(user(), access, content());
    const first = await publisher.deleteMessage(user(), access, seq);
    const second = await publisher.deleteMessage(user({ roles: ["moderator"], username: "M" }), access, seq);
    expect(second).toMatchObject({ seq: first.seq, duplicate: true });
    const bodies = (await stored(access)).map(({ event }) => event.body);
    expect(bodies).toMatchObject([{ case: "deletion", value: { deletedSeq: BigInt(seq), byUid: "percy" } }]);
  });

  it("rejects with unavailable once the broker is closed", async () => {
    const other = await mkdtemp(join(tmpdir(), "publisher-"));
    const closed = await openEmbeddedBroker({
      dataDir: other,
      retention: { maxMessages: 1, maxAgeMs: 3_600_000, maxBytes: 2 ** 20 },
      log: createLog({ level: "fatal" }),
    });
    await closed.close();
    const sending = new Publisher({ broker: closed }).sendMessage(user(), member(), content());
    await expect(sending).rejects.toMatchObject({ reason: "unavailable" });
    await rm(other, { recursive: true });
  });
});

describe("dedupeId", () => {
  it("is nothing without a key", () => expect(dedupeId("a", "b", "", "c")).toBeUndefined());

  it("is short, and differs when any part differs or moves to its neighbour", () => {
    const part = string({ maxLength: 4 });
    assert(
      property(part, part, part, part, part, (a, b, key, c, d) => {
        const id = dedupeId(a, b, `${key}k`, c, d);
        expect(id).toMatch(/^[A-Za-z0-9_-]{43}$/);
        expect(dedupeId(a, b, `${key}k`, c, d)).toBe(id);
        for (const other of [
          dedupeId(`${a}x`, b, `${key}k`, c, d),
          dedupeId(a, `${b}x`, `${key}k`, c, d),
          dedupeId(a, b, `${key}kx`, c, d),
          dedupeId(a, b, `${key}k`, `${c}x`, d),
          dedupeId(a, b, `${key}k`, c, `${d}x`),
          dedupeId(a, b, `${key}k`, `${c}${d}x`),
        ]) {
          expect(other).not.toBe(id);
        }
      }),
    );
  });
});
