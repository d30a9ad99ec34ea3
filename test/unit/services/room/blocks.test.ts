import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ClientEntrySchema } from "../../../../gen/baccarat/v1/control_pb.ts";
import { RoomError } from "../../../../services/errors.ts";
import { FIXED } from "../../../../services/limits.ts";
import { AttachedEdge, outcome } from "./attached-edge.ts";
import { openReplica, openTestBroker, store, uid } from "./replica.ts";

const [ANN, BOB] = [uid("ann"), uid("bob")];

async function open() {
  const broker = await openTestBroker();
  const [one, two] = [await openReplica(broker), await openReplica(broker)];
  const edges = [await AttachedEdge.open(one, "run-1"), await AttachedEdge.open(two, "run-2")] as const;
  edges[0].connect("c1", "ann");
  edges[1].connect("c2", "bob");
  await Promise.all([one.direct.recipients.conversation(ANN, BOB), two.direct.recipients.conversation(BOB, ANN)]);
  const [annsEdge, bobsEdge] = edges;
  const write = async () =>
    outcome(await annsEdge.ask({ case: "openConversation", value: { clientId: "c1", toUid: "bob" } }));
  const setBlock = async (blocked: boolean, other = "ann") =>
    outcome(await bobsEdge.ask({ case: "setBlock", value: { clientId: "c2", uid: other, blocked } }));
  return { broker, one, two, annsEdge, bobsEdge, write, setBlock };
}

describe("a block", () => {
  it("stops the blocked user's messages at every replica, and every edge is told", async () => {
    const { one, annsEdge, bobsEdge, write, setBlock } = await open();
    expect(await write()).toBe("done");
    expect(await setBlock(true)).toBe("done");
    const told = { uid: "bob", blockedUid: "ann", blocked: true };
    for (const edge of [annsEdge, bobsEdge]) expect(await edge.hears("blockChanged")).toMatchObject(told);
    expect(await write()).toBe("permission_denied");
    await one.direct.recipients.conversation(BOB, ANN);
    await one.direct.recipients.conversation(uid("service|dealer"), BOB);
    expect(await setBlock(false)).toBe("done");
    await annsEdge.hears("blockChanged", ({ blocked }) => !blocked);
    expect(await write()).toBe("done");
  });

  it("may be set and lifted again and again", async () => {
    const { annsEdge, setBlock, write } = await open();
    expect([await setBlock(false), await setBlock(true), await setBlock(true)]).toEqual(["done", "done", "done"]);
    await annsEdge.hears("blockChanged");
    expect(await write()).toBe("permission_denied");
    expect([await setBlock(false), await setBlock(false)]).toEqual(["done", "done"]);
    await annsEdge.hears("blockChanged", ({ blocked }) => !blocked);
    expect(await write()).toBe("done");
  });

  it("is not of oneself, of a service, or of nobody, nor of more than so many", async () => {
    const { two, setBlock } = await open();
    for (const other of ["bob", "service|dealer", "nobody", "no uid", ""]) {
      expect(await setBlock(true, other), other).toBe("invalid_argument");
    }
    for (let index = 0; index < FIXED.blocksPerUser; index++) two.fold.blocks.put(BOB, uid(`user-${index}`), true);
    expect(await setBlock(true)).toBe("invalid_argument");
  });

  it("by a service is recorded, one by the user is not", async () => {
    const { two, setBlock } = await open();
    await setBlock(true);
    await setBlock(false);
    const { blocks } = two.direct;
    await blocks.block(BOB, ANN, "service:support");
    await blocks.unblock(BOB, ANN, "service:support");
    const all = { pageSize: 0, pageToken: "", room: undefined, uid: undefined, actor: undefined };
    const { events } = two.moderating.audit.list(all);
    expect(events.map(({ actor, uid: about, facts }) => [actor, about, facts.for_uid])).toEqual([
      ["service:support", "ann", "bob"],
      ["service:support", "ann", "bob"],
    ]);
  });
});

describe("a new conversation", () => {
  it("counts for the one who begins it, ten times a minute", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    for (let index = 0; index < 12; index++) await plane.clients.register(uid(`user-${index}`), client(index));
    const { recipients } = plane.direct;
    await store(broker, "direct:ann:user-11", ["begun before"]);
    for (let index = 0; index < 10; index++) await recipients.open(ANN, uid(`user-${index}`));
    const refused = await recipients.open(ANN, uid("user-10")).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(RoomError);
    expect(refused).toMatchObject({ reason: "rate_limited" });
    await recipients.open(ANN, uid("user-11"));
    await recipients.conversation(ANN, uid("user-10"));
  });
});

function client(index: number) {
  const shown = { clientId: `c${index}`, uid: `user-${index}`, edgeId: "edge" };
  return create(ClientEntrySchema, { client: shown, incarnation: "run-1" });
}
