import { describe, expect, it } from "vitest";
import { linkSignals, untilAborted } from "../../../../services/room/rpc/cancellation.ts";
import { PATIENCE_MS, within } from "../../../support/eventually.ts";

/** A source that says when it has been cleaned up. */
function source(messages: number, onEnd: () => void) {
  return (async function* () {
    try {
      for (let message = 1; message <= messages; message++) yield message;
      await new Promise(() => undefined);
    } finally {
      onEnd();
    }
  })();
}

function open(messages: number) {
  const caller = new AbortController();
  const ended = Promise.withResolvers<void>();
  const late: unknown[] = [];
  const link = linkSignals([caller.signal], undefined);
  const passed = untilAborted(source(messages, ended.resolve), link, (error) => late.push(error));
  return { caller, link, late, passed, ended: within(PATIENCE_MS, "the source to end", ended.promise) };
}

describe("untilAborted", () => {
  it("passes messages on, and fails with the reason while the source has none", async () => {
    const { caller, passed } = open(2);
    expect([(await passed.next()).value, (await passed.next()).value]).toEqual([1, 2]);
    const third = passed.next();
    caller.abort(new Error("gone"));
    await expect(third).rejects.toThrow("gone");
  });

  it("ends the source when aborted, though nobody asks for another message", async () => {
    const { caller, passed, ended, late } = open(2);
    await passed.next();
    caller.abort(new Error("gone"));
    await ended;
    await expect(passed.next()).rejects.toThrow("gone");
    expect(late).toEqual([]);
  });

  it("ends the source when whoever reads leaves, and aborts the link", async () => {
    const { link, passed, ended } = open(2);
    await passed.next();
    await passed.return(undefined);
    await ended;
    expect(link.signal.aborted).toBe(true);
  });

  it("reads nothing when aborted before", async () => {
    const { caller, passed } = open(2);
    caller.abort(new Error("gone"));
    await expect(passed.next()).rejects.toThrow("gone");
  });

  it("reports what the source's cleanup throws", async () => {
    const late = Promise.withResolvers<unknown>();
    const caller = new AbortController();
    const failing = source(1, () => {
      throw new Error("cleanup failed");
    });
    const passed = untilAborted(failing, linkSignals([caller.signal], undefined), late.resolve);
    await passed.next();
    caller.abort(new Error("gone"));
    expect(await within(PATIENCE_MS, "the error", late.promise)).toMatchObject({ message: "cleanup failed" });
  });
});
