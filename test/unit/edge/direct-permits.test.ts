import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { DirectPermits } from "../../../edge/direct-permits.ts";
import type { Outcome } from "../../../edge/room-link.ts";
import { DoneSchema } from "../../../gen/baccarat/v1/edge_service_pb.ts";
import { controlKeys } from "../../../services/control-keys.ts";
import { type Reason, RoomError } from "../../../services/errors.ts";
import { openTestBroker, store, uid } from "../services/room/replica.ts";

const [ANN, BOB, CYD] = [uid("ann"), uid("bob"), uid("cyd")];
const DONE: Outcome = { ok: true, answer: { case: "done", value: create(DoneSchema) } };
const failed = (reason: Reason): Outcome => ({ ok: false, error: new RoomError(reason, "as scripted") });

/** Permits over a link that answers when and how it is told to. */
async function open(options: { here?: readonly string[]; max?: number } = {}) {
  const broker = await openTestBroker();
  const asked: ((outcome: Outcome) => void)[] = [];
  const link = {
    attached: true,
    request: (_command: unknown, done: (outcome: Outcome) => void) => void asked.push(done),
  };
  const permits = new DirectPermits({
    link,
    broker,
    isHere: (id) => options.here?.includes(id) ?? false,
    newConversationsPerMinute: 2,
    max: options.max ?? 10,
  });
  const need = async (from = ANN, to = BOB): Promise<string> => {
    try {
      await permits.need("c1", from, to);
      return "ok";
    } catch (error) {
      return error instanceof RoomError ? error.reason : String(error);
    }
  };
  return { broker, link, permits, need, asked, answer: (outcome: Outcome) => asked.shift()?.(outcome) };
}

describe("who may write to whom", () => {
  it("is asked once for each pair, and those who come meanwhile share the answer", async () => {
    const { need, asked, answer } = await open();
    const both = [need(), need()];
    expect(asked).toHaveLength(1);
    answer(DONE);
    expect(await Promise.all(both)).toEqual(["ok", "ok"]);
    expect(await need()).toBe("ok");
    const other = need(BOB, ANN);
    answer(failed("invalid_argument"));
    expect(await other).toBe("invalid_argument");
    const again = need(BOB, ANN);
    answer(DONE);
    expect(await again).toBe("ok");
  });

  it("changes when it is told, also right behind an answer", async () => {
    const { need, permits, asked, answer } = await open();
    const first = need();
    answer(DONE);
    permits.change(BOB, ANN, true);
    expect(await first).toBe("ok");
    expect(await need()).toBe("permission_denied");
    permits.change(BOB, ANN, false);
    const again = need();
    expect(asked).toHaveLength(1);
    answer(DONE);
    expect(await again).toBe("ok");
  });

  it("is asked again after a break of the link, and remembers a refusal", async () => {
    const { need, permits, asked, answer } = await open();
    const refused = need();
    answer(failed("permission_denied"));
    expect(await refused).toBe("permission_denied");
    expect(await need()).toBe("permission_denied");
    permits.expire();
    const again = need();
    expect(asked).toHaveLength(1);
    answer(DONE);
    expect(await again).toBe("ok");
  });

  it("goes on as known while nobody can be asked", async () => {
    const { need, permits, link, asked, answer } = await open();
    const [known, blocked] = [need(), need(ANN, CYD)];
    answer(DONE);
    answer(failed("permission_denied"));
    await Promise.all([known, blocked]);
    permits.expire();
    link.attached = false;
    expect([await need(), await need(ANN, CYD), asked.length]).toEqual(["ok", "permission_denied", 0]);
    link.attached = true;
    const late = need();
    answer(failed("unavailable"));
    expect(await late).toBe("ok");
  });

  it("is read in the store of pairs not known, while nobody can be asked", async () => {
    const { need, link, broker } = await open({ here: ["cyd"] });
    link.attached = false;
    expect(await need()).toBe("unavailable");
    await broker.control.put(controlKeys.user(BOB), new Uint8Array([8, 1]));
    expect(await need()).toBe("ok");
    expect(await need(ANN, CYD)).toBe("ok");
    await broker.control.put(controlKeys.block(BOB, CYD), new Uint8Array([8, 1]));
    expect(await need(CYD, BOB)).toBe("permission_denied");
  });

  it("keeps to the limit of new conversations then, too", async () => {
    const { need, link, broker } = await open();
    link.attached = false;
    for (const id of ["bob", "cyd", "dan", "eve"]) {
      await broker.control.put(controlKeys.user(uid(id)), new Uint8Array([8, 1]));
    }
    await store(broker, "direct:ann:dan", ["begun before"]);
    const outcomes = [
      await need(ANN, BOB),
      await need(ANN, CYD),
      await need(ANN, uid("dan")),
      await need(ANN, uid("eve")),
    ];
    expect(outcomes).toEqual(["ok", "ok", "ok", "rate_limited"]);
  });

  it("is forgotten of the pairs not asked for longest", async () => {
    const { need, asked, answer } = await open({ max: 1 });
    for (const other of [BOB, CYD]) {
      const asking = need(ANN, other);
      answer(DONE);
      await asking;
    }
    void need(ANN, BOB);
    expect(asked).toHaveLength(1);
    answer(DONE);
  });
});
