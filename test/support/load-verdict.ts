import { expect } from "vitest";
import type { Load } from "./load.ts";
import { presenceIs } from "./presence-truth.ts";

/** How long presence may take to be true again, in milliseconds. */
const PRESENCE_MS = 20_000;

/**
 * Nothing acknowledged is lost, nothing is there twice, everybody heard everything in the same order, everybody is listed
 * by every RoomService. `rooms` are the load's own.
 */
export async function allIsWell(
  load: Load,
  rooms: readonly string[],
  rpcs: readonly string[],
): ReturnType<Load["verify"]> {
  await load.settle();
  const verdict = await load.verify(rpcs[0] ?? "");
  expect(load.failures).toEqual([]);
  expect(verdict).toMatchObject({ lost: [], duplicated: [], disordered: [], holes: [] });
  for (const [index, room] of rooms.entries()) {
    const uids = load.clients
      .filter((_, client) => client % rooms.length === index)
      .map((client) => client.self?.uid ?? "");
    await presenceIs(rpcs, room, uids, PRESENCE_MS);
  }
  return verdict;
}
