import { describe, expect, it } from "vitest";
import { type RoomFixture, startRoom } from "./room-fixture.ts";
import { bearer, errorInfo, type JsonBody, TOKENS } from "./rpc-fixture.ts";

async function call(rpc: RoomFixture, method: string, request: object, as = "ops"): Promise<JsonBody> {
  const { body } = await rpc.post(`RoomService/${method}`, request, { authorization: bearer(as) });
  return body;
}

const ANN = { room_id: "lobby", uid: "ann" };
const YEAR_S = 365 * 24 * 3_600;

describe("RoomService's moderation", () => {
  it("pages through bans in the order of uids", async () => {
    await using rpc = await startRoom({ tokens: TOKENS });
    for (const uid of ["cyd", "ann", "bob"]) await call(rpc, "BanMember", { room_id: "lobby", uid });
    const uids: string[] = [];
    let page_token: unknown = "";
    do {
      const page = await call(rpc, "ListBans", { room_id: "lobby", page_size: 2, page_token }, "reader");
      uids.push(...(page.bans as { uid: string }[]).map(({ uid }) => uid));
      page_token = page.next_page_token;
    } while (page_token !== "");
    expect(uids).toEqual(["ann", "bob", "cyd"]);
    const other = await call(rpc, "ListBans", { room_id: "other", page_token: "WyJiYW5zIiwibG9iYnkiLCJib2IiXQ" });
    expect(errorInfo(other)).toMatchObject({ metadata: { field: "page_token" } });
  });

  it("names whoever decided, and takes the end of a ban as a time or a duration", async () => {
    await using rpc = await startRoom({ tokens: TOKENS });
    const expire_time = new Date(Date.now() + 60_000).toISOString();
    const { ban } = await call(rpc, "BanMember", { ...ANN, reason: "spam", expire_time });
    expect(ban).toMatchObject({ ...ANN, by: "service:ops", reason: "spam", expire_time });
    const { mute } = (await call(rpc, "MuteMember", { ...ANN, duration: "90.5s" })) as {
      mute: { create_time: string; expire_time: string };
    };
    expect(Date.parse(mute.expire_time) - Date.parse(mute.create_time)).toBe(90_500);
  });

  it("lifts only what is there", async () => {
    await using rpc = await startRoom({ tokens: TOKENS });
    for (const [decide, lift] of [
      ["BanMember", "UnbanMember"],
      ["MuteMember", "UnmuteMember"],
      ["InviteMember", "UninviteMember"],
    ] as const) {
      await call(rpc, decide, ANN);
      expect(await call(rpc, lift, ANN)).toEqual({});
      const again = await call(rpc, lift, ANN);
      expect(errorInfo(again), lift).toMatchObject({ reason: "ERROR_REASON_NOT_FOUND" });
      expect(again.code).toBe("not_found");
    }
  });

  it.each([
    ["BanMember", { uid: "ann" }, "room_id"],
    ["BanMember", { room_id: "lobby" }, "uid"],
    ["BanMember", { room_id: "direct:ann:bob", uid: "ann" }, "room_id"],
    ["BanMember", { ...ANN, duration: "0s" }, "duration"],
    ["BanMember", { ...ANN, duration: "-1s" }, "duration"],
    ["MuteMember", { ...ANN, duration: `${10 * YEAR_S + 1}s` }, "duration"],
    ["MuteMember", { ...ANN, expire_time: "2020-01-01T00:00:00Z" }, "expire_time"],
    ["MuteMember", { ...ANN, expire_time: "9999-01-01T00:00:00Z" }, "expire_time"],
    ["MuteMember", { ...ANN, reason: "x".repeat(257) }, "reason"],
    ["InviteMember", { ...ANN, uid: "a:b" }, "uid"],
    ["UnmuteMember", { room_id: "a b", uid: "ann" }, "room_id"],
    ["ListBans", { room_id: "direct:ann:bob" }, "room_id"],
    ["ListBans", { room_id: "lobby", page_size: -1 }, "page_size"],
  ])("%s refuses %j", async (method, request, field) => {
    await using rpc = await startRoom({ tokens: TOKENS });
    expect(errorInfo(await call(rpc, method, request))).toMatchObject({
      reason: "ERROR_REASON_INVALID_ARGUMENT",
      metadata: { field },
    });
  });

  it("is for scope admin, but for reading", async () => {
    await using rpc = await startRoom({ tokens: TOKENS });
    const methods = ["KickMember", "BanMember", "UnbanMember", "MuteMember", "UnmuteMember", "InviteMember"];
    for (const method of [...methods, "UninviteMember", "UpdateRoom", "DeleteRoom"]) {
      const refused = await call(rpc, method, ANN, "dealer");
      expect(errorInfo(refused), method).toMatchObject({ metadata: { scope: "admin" } });
    }
    expect(await call(rpc, "ListBans", { room_id: "lobby" }, "dealer")).toMatchObject({ bans: [] });
  });

  it("is of rooms that exist", async () => {
    await using rpc = await startRoom({ tokens: TOKENS });
    await call(rpc, "DeleteRoom", { room_id: "lobby" });
    for (const method of ["BanMember", "MuteMember", "InviteMember", "KickMember"]) {
      expect(errorInfo(await call(rpc, method, ANN)), method).toMatchObject({ reason: "ERROR_REASON_ROOM_NOT_FOUND" });
    }
  });
});
