import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import type { Broker } from "../../../../broker/broker.ts";
import { CursorRecordSchema } from "../../../../gen/baccarat/v1/control_pb.ts";
import type { CaughtUp } from "../../../../gen/baccarat/v1/edge_service_pb.ts";
import { controlKeys } from "../../../../services/control-keys.ts";
import { directRoom } from "../../../../services/ids.ts";
import { AttachedEdge, outcome } from "./attached-edge.ts";
import { openReplica, openTestBroker, store, uid } from "./replica.ts";

const ANN = uid("ann");
/** An edge gives up on a connection's last word after this, in milliseconds. */
const LAST_WORD_MS = 500;

async function open(options: { maxMessages?: number } = {}) {
  const broker = await openTestBroker(options);
  const plane = await openReplica(broker);
  const edge = await AttachedEdge.open(plane, "run-1");
  /** Messages to Ann in conversations with others; returns their positions. */
  const say = (other: string, ...texts: string[]) => store(broker, directRoom(ANN, uid(other)) ?? "", texts, other);
  const missed = async (clientId: string, since?: { epoch: string; seq: number }): Promise<CaughtUp> => {
    const value = { clientId, ...(since && { since: { epoch: since.epoch, seq: BigInt(since.seq) } }) };
    const result = await edge.ask({ case: "catchUp", value });
    if (result.case !== "caughtUp") throw new Error(`not caught up: ${outcome(result)}`);
    return result.value;
  };
  /** Ann was there before, and went. */
  const visit = async () => {
    edge.connect("before", "ann");
    await edge.ask({ case: "disconnect", value: { clientId: "before", reason: "left" } });
  };
  return { broker, plane, edge, say, missed, visit };
}

async function putCursor(
  broker: Broker,
  cursor: { seq: number; ahead?: Readonly<Record<string, number>>; clientId?: string; ended?: boolean; epoch?: string },
): Promise<void> {
  const ahead = Object.entries(cursor.ahead ?? {}).map(([roomId, seq]) => ({ roomId, seq: BigInt(seq) }));
  const record = create(CursorRecordSchema, {
    epoch: cursor.epoch ?? broker.epoch,
    seq: BigInt(cursor.seq),
    ahead,
    clientId: cursor.clientId ?? "before",
    ended: cursor.ended ?? true,
  });
  await broker.control.put(controlKeys.cursor(ANN), toBinary(CursorRecordSchema, record));
}

const seqs = ({ events }: CaughtUp): number[] => events.map(({ seq }) => Number(seq));

describe("catching up", () => {
  it("gives everything to a user of whom no cursor is stored, in the order of the log", async () => {
    const { edge, say, missed, visit } = await open();
    await visit();
    const [one] = await say("bob", "one");
    const [two] = await say("cyd", "two");
    const [three] = await say("bob", "three");
    edge.connect("c1", "ann");
    const answer = await missed("c1");
    expect(seqs(answer)).toEqual([one, two, three]);
    expect(answer).toMatchObject({ truncated: [], moreRooms: false, cursorSeq: 0n, seq: BigInt(three ?? 0) });
    expect(answer.conversations.map((one) => [one.roomId, one.uid, Number(one.seq)])).toEqual([
      ["direct:ann:bob", "bob", three],
      ["direct:ann:cyd", "cyd", two],
    ]);
  });

  it("gives what is after the cursor, conversation by conversation, unless that is of another log", async () => {
    const { broker, edge, say, missed, visit } = await open();
    await visit();
    const [, two = 0, three] = await say("bob", "one", "two", "three");
    const [four = 0, five] = await say("cyd", "four", "five");
    edge.connect("c1", "ann");
    await putCursor(broker, { seq: two, ahead: { "direct:ann:cyd": four } });
    expect(seqs(await missed("c1"))).toEqual([three, five]);
    await putCursor(broker, { seq: two, epoch: "another" });
    expect(seqs(await missed("c1"))).toHaveLength(5);
  });

  it("gives what is after the client's position, if it is one of this log", async () => {
    const { broker, edge, say, missed, visit } = await open();
    await visit();
    const [one = 0, two, three = 0] = await say("bob", "one", "two", "three");
    edge.connect("c1", "ann");
    await putCursor(broker, { seq: three });
    expect(seqs(await missed("c1", { epoch: broker.epoch, seq: one }))).toEqual([two, three]);
    expect(seqs(await missed("c1", { epoch: broker.epoch, seq: three + 1 }))).toEqual([]);
    expect(seqs(await missed("c1", { epoch: "another", seq: one }))).toEqual([]);
  });

  it("is of nothing for a user nobody knew", async () => {
    const { edge, say, missed } = await open();
    await say("bob", "to nobody yet");
    edge.connect("c1", "ann");
    expect(await missed("c1")).toMatchObject({ moreRooms: false, cursorSeq: 0n });
  });

  it("names the conversations of which more was missed than 100 events", async () => {
    const { edge, say, missed, visit } = await open();
    await visit();
    const first = await say("bob", ...Array.from({ length: 60 }, (_, index) => `${index}`));
    const second = await say("cyd", ...Array.from({ length: 60 }, (_, index) => `${index}`));
    await say("dan", "late");
    edge.connect("c1", "ann");
    const answer = await missed("c1");
    expect(seqs(answer)).toEqual([...first, ...second].slice(0, 100));
    expect(answer.truncated.toSorted()).toEqual(["direct:ann:cyd", "direct:ann:dan"]);
  });

  it("gives at most 256 KiB", async () => {
    const { edge, say, missed, visit } = await open();
    await visit();
    await say("bob", ...Array.from({ length: 50 }, () => "x".repeat(10_000)));
    edge.connect("c1", "ann");
    const answer = await missed("c1");
    expect(answer.events.length).toBeLessThan(27);
    expect(answer.events.length).toBeGreaterThan(20);
    expect(answer.truncated).toEqual(["direct:ann:bob"]);
  });

  it("reads a hundred conversations at most, and names the others", async () => {
    const { edge, say, missed, visit } = await open();
    await visit();
    for (let index = 0; index < 105; index++) await say(`user-${index}`, "hello");
    edge.connect("c1", "ann");
    const answer = await missed("c1");
    expect(answer.events).toHaveLength(100);
    expect(answer.truncated.toSorted()).toEqual([0, 1, 2, 3, 4].map((index) => `direct:ann:user-${index}`));
    expect(answer.conversations).toHaveLength(50);
  });

  it("names a conversation of which retention dropped what comes next, and gives none of it", async () => {
    const { broker, edge, say, missed, visit } = await open({ maxMessages: 3 });
    await visit();
    const all = await say("bob", "1", "2", "3", "4", "5");
    edge.connect("c1", "ann");
    await putCursor(broker, { seq: all[0] ?? 0 });
    expect(await missed("c1")).toMatchObject({ events: [], truncated: ["direct:ann:bob"] });
    await putCursor(broker, { seq: all[1] ?? 0 });
    expect(seqs(await missed("c1"))).toEqual(all.slice(2));
  });

  it("waits for the last word of the connection it replaces, but not for long", async () => {
    const { broker, edge, say, missed } = await open();
    edge.connect("old", "ann", { sessionHash: "s" });
    const [first = 0] = await say("bob", "given to the old one");
    edge.connect("new", "ann", { sessionHash: "s" });
    const waiting = missed("new");
    await edge.hears("disconnected", ({ clientId }) => clientId === "old");
    await putCursor(broker, { seq: first, clientId: "old" });
    expect(seqs(await waiting)).toEqual([]);

    edge.connect("newer", "ann", { sessionHash: "s" });
    const [second] = await say("bob", "given to nobody");
    const startedAt = performance.now();
    expect(seqs(await missed("newer"))).toEqual([second]);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(LAST_WORD_MS - 10);
  });
});

describe("a list of conversations", () => {
  it("goes on where a page ended, whatever comes meanwhile", async () => {
    const { edge, say } = await open();
    edge.connect("c1", "ann");
    for (const other of ["bob", "cyd", "dan", "eve"]) await say(other, "hello");
    const list = async (pageToken: string) => {
      const result = await edge.ask({ case: "listConversations", value: { clientId: "c1", pageSize: 2, pageToken } });
      if (result.case !== "conversations") throw new Error(outcome(result));
      return result.value;
    };
    const first = await list("");
    await say("bob", "hello again");
    const second = await list(first.nextPageToken);
    const names = [first, second].map((page) => page.conversations.map((one) => one.uid));
    expect(names).toEqual([["eve", "dan"], ["cyd"]]);
    expect(second.nextPageToken).toBe("");
  });

  it("is refused with a token of another's, or one that was made up", async () => {
    const { edge, say } = await open();
    edge.connect("c1", "ann");
    edge.connect("c2", "bob");
    for (const other of ["bob", "cyd"]) await say(other, "hello");
    const value = { clientId: "c1", pageSize: 1, pageToken: "" };
    const page = await edge.ask({ case: "listConversations", value });
    const pageToken = page.case === "conversations" ? page.value.nextPageToken : "";
    expect(pageToken).not.toBe("");
    expect(outcome(await edge.ask({ case: "listConversations", value: { ...value, clientId: "c2", pageToken } }))).toBe(
      "invalid_argument",
    );
    const forged = Buffer.from(JSON.stringify(["conversations", "ann", "x"])).toString("base64url");
    expect(outcome(await edge.ask({ case: "listConversations", value: { ...value, pageToken: forged } }))).toBe(
      "invalid_argument",
    );
  });
});
