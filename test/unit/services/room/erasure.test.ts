import { describe, expect, it } from "vitest";
import type { Broker } from "../../../../broker/broker.ts";
import type { ControlPlane } from "../../../../services/room/control-plane.ts";
import type { ErasedPage, ErasureRequest } from "../../../../services/room/erasure.ts";
import { eventually } from "../../../support/eventually.ts";
import { actionName, OPS, openReplica, openTestBroker, room, store, uid } from "./replica.ts";

/** Every page, until there is none. */
async function erase(plane: ControlPlane, asked: Partial<ErasureRequest> = {}): Promise<ErasedPage[]> {
  const pages: ErasedPage[] = [];
  for (let pageToken = ""; pages.length === 0 || pageToken !== ""; pageToken = pages.at(-1)?.nextPageToken ?? "") {
    const request = { uid: uid("eve"), room: undefined, pageSize: 0, ...asked, pageToken };
    pages.push(await plane.erasure.deletePage(OPS, request));
  }
  return pages;
}

/** Who still has something stored in a room, in order. */
async function writers(broker: Broker, id: string): Promise<string[]> {
  const { events } = await broker.history(room(id), { after: 0, limit: 300 });
  return events.flatMap(({ event: { body } }) => (body.case === "message" ? [body.value.uid] : []));
}

const deleted = (pages: readonly ErasedPage[]): number[] => pages.map((page) => page.deleted);

describe("deleting a user's messages", () => {
  it("takes them out of every room and conversation, page by page, and leaves those of others", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    for (const id of ["a", "b", "direct:eve:zoe"]) {
      await store(broker, id, ["1"], "ann");
      await store(broker, id, ["2", "3"], "eve");
    }
    expect(deleted(await erase(plane, { pageSize: 4 }))).toEqual([4, 2]);
    for (const id of ["a", "b", "direct:eve:zoe"]) expect(await writers(broker, id), id).toEqual(["ann"]);
    expect(deleted(await erase(plane))).toEqual([0]);
  });

  it("takes them out of one room only, also what history shows no more", async () => {
    const broker = await openTestBroker({ maxMessages: 3 });
    const plane = await openReplica(broker);
    await store(broker, "a", ["1", "2", "3", "4", "5"], "eve");
    await store(broker, "b", ["1"], "eve");
    expect(deleted(await erase(plane, { room: room("a") }))[0]).toBeGreaterThanOrEqual(3);
    expect(await writers(broker, "a")).toEqual([]);
    expect(await writers(broker, "b")).toEqual(["eve"]);
  });

  it("ends although the user goes on, at where the log ended when it began", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    await store(broker, "a", ["1", "2", "3"], "eve");
    const request = { uid: uid("eve"), room: undefined, pageSize: 2 };
    const first = await plane.erasure.deletePage(OPS, { ...request, pageToken: "" });
    expect(first).toMatchObject({ deleted: 2, seq: 2, endSeq: 3 });
    await store(broker, "a", ["later"], "eve");
    const second = await plane.erasure.deletePage(OPS, { ...request, pageToken: first.nextPageToken });
    expect(second).toEqual({ deleted: 1, nextPageToken: "", seq: 3, endSeq: 3 });
    // As a caller does who was not answered.
    const again = await plane.erasure.deletePage(OPS, { ...request, pageToken: first.nextPageToken });
    expect(again).toEqual({ deleted: 0, nextPageToken: "", seq: 3, endSeq: 3 });
    expect(await writers(broker, "a")).toEqual(["eve"]);
  });

  it("is recorded, page by page", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const [, , last = 0] = await store(broker, "a", ["1", "2", "3"], "eve");
    await erase(plane, { pageSize: 2, room: room("a") });
    const list = () =>
      plane.moderating.audit.list({ pageSize: 0, pageToken: "", room: room("a"), uid: uid("eve"), actor: undefined })
        .events;
    await eventually("both acts", () => list().length === 2);
    expect(list().map(({ action, actor, facts }) => [actionName(action), actor, facts])).toEqual([
      ["DELETE_USER_MESSAGES", "service:ops", { messages: "1", seq: String(last) }],
      ["DELETE_USER_MESSAGES", "service:ops", { messages: "2", seq: String(last - 1) }],
    ]);
  });

  it("refuses pages of another erasure, and pages that are none", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    await store(broker, "a", ["1", "2"], "eve");
    const request = { uid: uid("eve"), room: undefined, pageSize: 1, pageToken: "" };
    const { nextPageToken: pageToken } = await plane.erasure.deletePage(OPS, request);
    const refused = { reason: "invalid_argument" };
    await expect(plane.erasure.deletePage(OPS, { ...request, uid: uid("ann"), pageToken })).rejects.toMatchObject(
      refused,
    );
    await expect(plane.erasure.deletePage(OPS, { ...request, pageToken: "x" })).rejects.toMatchObject(refused);
    await expect(plane.erasure.deletePage(OPS, { ...request, pageSize: -1 })).rejects.toMatchObject(refused);
  });
});
