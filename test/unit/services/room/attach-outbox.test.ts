import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { AttachResponse } from "../../../../gen/baccarat/v1/edge_service_pb.ts";
import { AttachOutbox, type SizedUpdate } from "../../../../services/room/attach-outbox.ts";
import { disconnected } from "../../../../services/room/attach-updates.ts";

function update(clientId: string, bytes = 100): SizedUpdate {
  return { ...disconnected(clientId, { $typeName: "baccarat.v1.Closure", closeCode: 4503, reason: "" }), bytes };
}

function names(response: IteratorResult<AttachResponse>): string[] {
  return (response.value as AttachResponse).updates.map(({ update: { value } }) =>
    value?.$typeName === "baccarat.v1.Disconnected" ? value.clientId : "",
  );
}

describe("AttachOutbox", () => {
  it("sends what was pushed within one turn as one response", async () => {
    const outbox = new AttachOutbox();
    const responses = outbox.responses();
    const first = responses.next();
    outbox.push(update("a"));
    await Promise.resolve();
    outbox.push(update("b"));
    expect(names(await first)).toEqual(["a", "b"]);
    const second = responses.next();
    await turn();
    outbox.push(update("c"));
    outbox.finish();
    expect(names(await second)).toEqual(["c"]);
    expect(await responses.next()).toEqual({ done: true, value: undefined });
  });

  it("splits what is too much for one response", async () => {
    const outbox = new AttachOutbox();
    for (let index = 0; index < 20; index++) outbox.push(update(String(index), 100 * 1024));
    outbox.finish();
    const sizes: number[] = [];
    for await (const { updates } of outbox.responses()) sizes.push(updates.length);
    expect(sizes).toEqual([5, 5, 5, 5]);
  });

  it("makes later updates only when there is space, after what waits", async () => {
    const outbox = new AttachOutbox();
    let made = 0;
    outbox.push(update("first", 600 * 1024));
    outbox.pushLater(
      (function* () {
        for (; made < 10; made++) yield update(`later ${made}`, 300 * 1024);
      })(),
    );
    const responses = outbox.responses();
    expect(names(await responses.next())).toEqual(["first"]);
    expect(made).toBe(0);
    expect(names(await responses.next())).toEqual(["later 0", "later 1"]);
    outbox.push(update("urgent"));
    expect(names(await responses.next())).toEqual(["urgent", "later 2", "later 3"]);
  });

  it("holds commands back while much waits, and says when it is too much", async () => {
    const outbox = new AttachOutbox();
    let space = false;
    outbox.push(update("big", 3 * 1024 * 1024));
    const waiting = outbox.space().then(() => {
      space = true;
    });
    await turn();
    expect(space).toBe(false);
    const responses = outbox.responses();
    await responses.next();
    await waiting;
    expect(outbox.push(update("huge", 40 * 1024 * 1024))).toBe(true);
    expect(outbox.push(update("more"))).toBe(false);
  });

  it("ends at once with an error, whatever waits", async () => {
    const outbox = new AttachOutbox();
    outbox.push(update("a"));
    outbox.fail(new Error("gone"));
    expect(outbox.push(update("b"))).toBe(true);
    await expect(outbox.responses().next()).rejects.toThrow("gone");
    await outbox.space();
  });
});
