import type { Event } from "../../../../gen/baccarat/v1/event_pb.ts";
import type { Service } from "../../../../services/auth.ts";
import type { ControlPlane } from "../../../../services/room/control-plane.ts";
import { room } from "./replica.ts";

const DEALER: Service = { kind: "service", name: "dealer", scopes: new Set(["publish"]) };

/** Publishes data under a key of a room's snapshot; returns the event's position. */
export async function publishState(plane: ControlPlane, key: string, data: unknown, id = "table"): Promise<number> {
  const dataJson = JSON.stringify(data);
  const request = { room: room(id), type: "table.state", dataJson, snapshotKey: key, idempotencyKey: "" };
  return (await plane.messages.storeEvent(DEALER, request)).seq;
}

/** A room's snapshot: data by key, in the order of the seqs. */
export async function shownSnapshot(plane: ControlPlane, id = "table"): Promise<[string, unknown][]> {
  const [, { events }] = await plane.snapshots.asOf(room(id), () => plane.history.recover(room(id), undefined, 0));
  return events.map(entryOf);
}

/** Key and data of an event in a snapshot. */
export function entryOf({ body }: Event): [string, unknown] {
  if (body.case !== "customEvent") throw new Error("something else is in the snapshot");
  return [body.value.snapshotKey, JSON.parse(body.value.dataJson)];
}
