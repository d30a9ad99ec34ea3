import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ErrorReason } from "../../../../gen/baccarat/v1/errors_pb.ts";
import {
  PublishItemSchema,
  type PublishResult,
  type PublishStreamRequest,
  PublishStreamRequestSchema,
  type PublishStreamResponse,
} from "../../../../gen/baccarat/v1/room_service_pb.ts";
import { RoomError } from "../../../../services/errors.ts";
import { createLog } from "../../../../services/log.ts";
import { Metrics } from "../../../../services/metrics.ts";
import { MAX_ITEMS, PublishStreams, type StoreItem } from "../../../../services/room/publish-stream.ts";
import { eventually, PATIENCE_MS, within } from "../../../support/eventually.ts";

const toRoom = (number: number) =>
  create(PublishItemSchema, {
    number,
    content: { case: "sendMessage", value: { roomId: "lobby", message: `m${number}` } },
  });
const toUser = (number: number, toUid = "percy") =>
  create(PublishItemSchema, { number, content: { case: "sendMessage", value: { toUid, message: `m${number}` } } });
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

/** Items of which each waits until it is settled by the test. */
class HeldStore {
  /** Numbers of items, in the order in which they were stored. */
  readonly begun: number[] = [];
  readonly #held = new Map<number, PromiseWithResolvers<{ seq: number; duplicate: boolean }>>();

  readonly store: StoreItem = ({ number }) => {
    this.begun.push(number);
    const outcome = Promise.withResolvers<{ seq: number; duplicate: boolean }>();
    this.#held.set(number, outcome);
    return outcome.promise;
  };

  settle(...items: number[]): void {
    for (const number of items) this.#take(number).resolve({ seq: number, duplicate: false });
  }

  fail(number: number, error: unknown): void {
    this.#take(number).reject(error);
  }

  #take(number: number): PromiseWithResolvers<{ seq: number; duplicate: boolean }> {
    const held = this.#held.get(number);
    if (held === undefined) throw new Error(`item ${number} was not begun`);
    this.#held.delete(number);
    return held;
  }
}

function open(store: StoreItem, signal = new AbortController().signal) {
  const metrics = new Metrics();
  const logged: string[] = [];
  const log = createLog({ level: "info", output: { write: (line) => logged.push(line) } });
  const streams = new PublishStreams({ epoch: "e", log, metrics });
  const serve = (requests: AsyncIterable<PublishStreamRequest>) =>
    streams.serve(requests, store, signal)[Symbol.asyncIterator]();
  return { streams, serve, logged, metrics };
}

async function* requests(...batches: MessageInitShape<typeof PublishStreamRequestSchema>["items"][]) {
  for (const items of batches) yield create(PublishStreamRequestSchema, { ...(items && { items }) });
}

/** Reads a stream of responses until there are so many results. */
async function results(responses: AsyncIterator<PublishStreamResponse>, count: number): Promise<PublishResult[]> {
  const heard: PublishResult[] = [];
  while (heard.length < count) {
    const step = await within(PATIENCE_MS, `${count} results`, responses.next(), () => `; heard ${heard.length}`);
    if (step.done) throw new Error(`the stream ended after ${heard.length} results`);
    heard.push(...step.value.results);
  }
  return heard;
}

describe("a publish stream", () => {
  it("answers what was settled in one turn in one response", async () => {
    const held = new HeldStore();
    const responses = open(held.store).serve(requests(numbers(5).map(toRoom)));
    const first = responses.next();
    await eventually("the items to be begun", () => held.begun.length === 5);
    held.settle(4, 1, 2);
    expect((await first).value?.results.map(({ number }: PublishResult) => number)).toEqual([4, 1, 2]);
    held.settle(3, 5);
    expect((await responses.next()).value?.results).toHaveLength(2);
    expect((await responses.next()).done).toBe(true);
  });

  it("holds so many items at most, settled or not, and reads on as results are taken", async () => {
    const held = new HeldStore();
    let asked = 0;
    async function* endless() {
      for (let number = 1; ; number += 100) {
        asked++;
        const items = numbers(100).map((offset) => toRoom(number + offset - 1));
        yield create(PublishStreamRequestSchema, { items });
      }
    }
    const responses = open(held.store).serve(endless());
    const first = responses.next();
    await eventually("it to be full", () => held.begun.length === MAX_ITEMS);
    held.settle(...numbers(10));
    expect((await first).value?.results).toHaveLength(10);
    await eventually("it to be full again", () => held.begun.length === MAX_ITEMS + 10);
    held.settle(...numbers(MAX_ITEMS).map((number) => number + 10));
    // Nobody takes these results, so nothing more is read.
    await new Promise(setImmediate);
    expect(held.begun).toEqual(numbers(MAX_ITEMS + 10));
    expect(asked).toBe(Math.ceil((MAX_ITEMS + 10) / 100));
    await responses.return?.(undefined);
  });

  it("begins items for rooms in order at once, and those for one user one after the other", async () => {
    const held = new HeldStore();
    const items = [toUser(1), toRoom(2), toUser(3), toUser(4, "quinn"), toRoom(5), toUser(6)];
    const responses = open(held.store).serve(requests(items));
    const first = responses.next();
    await eventually("items to be begun", () => held.begun.length === 4);
    expect(held.begun).toEqual([1, 2, 4, 5]);
    held.settle(1);
    await first;
    await eventually("the next one to be begun", () => held.begun.length === 5);
    expect(held.begun.at(-1)).toBe(3);
    held.fail(3, new RoomError("message_too_large", "too large"));
    await eventually("the one after to be begun", () => held.begun.length === 6);
    held.settle(2, 4, 5, 6);
    await results(responses, 5);
    expect((await responses.next()).done).toBe(true);
  });

  it("fails what waits behind a message to the same user whose outcome is unknown", async () => {
    const held = new HeldStore();
    const responses = open(held.store).serve(
      requests([toUser(1), toUser(2), toUser(3), toUser(4, "quinn")], [toUser(5)]),
    );
    const settled = results(responses, 5);
    await eventually("the items to be begun", () => held.begun.length === 2);
    held.fail(1, new RoomError("unavailable", "no answer", { retryAfterMs: 12.5 }));
    await eventually("the failure to be told", () => true);
    held.settle(4);
    const byNumber = (await settled).toSorted((a, b) => a.number - b.number).map(({ result }) => result);
    const unavailable = { reason: ErrorReason.UNAVAILABLE, retryable: true };
    expect(byNumber).toMatchObject([
      { case: "failure", value: { ...unavailable, message: "no answer", retryAfterMs: 13 } },
      { case: "failure", value: unavailable },
      { case: "failure", value: unavailable },
      { case: "ack", value: { seq: 4n } },
      { case: "failure", value: unavailable },
    ]);
    expect(held.begun).toEqual([1, 4]);
  });

  it("hides what it did not expect behind a number, and logs it", async () => {
    const { serve, logged } = open(() => Promise.reject(new Error("password is hunter2")));
    const [failed] = await results(serve(requests([toRoom(1)])), 1);
    expect(failed?.result).toMatchObject({ case: "failure", value: { reason: ErrorReason.INTERNAL } });
    expect(JSON.stringify(failed?.result.value)).not.toContain("hunter2");
    expect(logged.join()).toContain("hunter2");
  });

  it("ends with what reading the requests threw, whatever is under way", async () => {
    const held = new HeldStore();
    async function* broken() {
      yield create(PublishStreamRequestSchema, { items: [toRoom(1)] });
      throw new Error("cannot be read");
    }
    await expect(open(held.store).serve(broken()).next()).rejects.toThrow("cannot be read");
    expect(held.begun).toEqual([1]);
  });

  it("reads nothing more once cancelled, and is counted while it is open", async () => {
    const caller = new AbortController();
    const held = new HeldStore();
    const { serve, streams, metrics } = open(held.store, caller.signal);
    const gauge = async () => /^baccarat_publish_streams (\d)$/m.exec((await metrics.render()).text)?.[1];
    const responses = serve(requests(numbers(MAX_ITEMS).map(toRoom), numbers(5).map(toRoom)));
    const first = responses.next();
    await eventually("it to be full", () => held.begun.length === MAX_ITEMS);
    expect([streams.size, await gauge()]).toEqual([1, "1"]);
    caller.abort();
    expect((await within(PATIENCE_MS, "the end", first)).done).toBe(true);
    held.settle(...numbers(MAX_ITEMS));
    await new Promise(setImmediate);
    expect(held.begun).toHaveLength(MAX_ITEMS);
    expect([streams.size, await gauge()]).toEqual([0, "0"]);
  });

  it("ends with unavailable when the replica stops", async () => {
    const held = new HeldStore();
    const { serve, streams } = open(held.store);
    const first = serve(requests([toRoom(1)])).next();
    await eventually("the item to be begun", () => held.begun.length === 1);
    streams.close();
    await expect(first).rejects.toMatchObject({ reason: "unavailable" });
  });
});
