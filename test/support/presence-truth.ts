import { eventually } from "./eventually.ts";
import { RpcClient } from "./rpc.ts";

/** Waits until every RoomService lists exactly these users as the room's members. */
export async function presenceIs(
  rpcs: readonly string[],
  room: string,
  uids: readonly string[],
  withinMs: number,
): Promise<void> {
  const expected = [...uids].sort().join(" ");
  let seen: string[] = [];
  await eventually(
    `every RoomService to list the ${uids.length} members of ${room}`,
    async () => {
      seen = await Promise.all(rpcs.map(async (rpc) => (await members(rpc, room)).sort().join(" ")));
      return seen.every((one) => one === expected);
    },
    {
      withinMs,
      state: () => ({ expected: uids.length, seen: seen.map((one) => (one === "" ? 0 : one.split(" ").length)) }),
    },
  );
}

/** The uids a RoomService lists as members of a room. */
export async function members(rpc: string, room: string): Promise<string[]> {
  const page = await new RpcClient(rpc).call<{ members: { uid: string }[] }>("RoomService/ListMembers", {
    roomId: room,
    pageSize: 1_000,
  });
  return page.members.map((member) => member.uid);
}
