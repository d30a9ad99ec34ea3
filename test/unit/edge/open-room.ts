import { onTestFinished } from "vitest";
import type { StoredEvent } from "../../../broker/broker.ts";
import { FanOut } from "../../../edge/fan-out.ts";
import { HostedRoom } from "../../../edge/hosted-room.ts";
import { Limiter } from "../../../edge/limiter.ts";
import { Metrics } from "../../../services/metrics.ts";
import { quietLog } from "../services/room/replica.ts";
import { newRing, room as roomId } from "./stored.ts";

/** A room at position 10, closed after the test. */
export interface OpenRoom {
  readonly room: HostedRoom;
  readonly fanOut: FanOut;
  readonly metrics: Metrics;
  /** Its next live event comes. */
  readonly hear: (event: StoredEvent) => void;
}

/** Opens a room whose events come when the test says so. */
export async function openRoom(fanOut = new FanOut(), name = "r"): Promise<OpenRoom> {
  const id = roomId(name);
  const ring = newRing({ events: 512 });
  const metrics = new Metrics();
  let hear: (event: StoredEvent) => void = () => undefined;
  const room = new HostedRoom({
    id,
    epoch: "e",
    ring,
    fanOut,
    metrics,
    feed: {
      source: {
        subscribe: (_, heard) => {
          hear = (event) => heard.onEvent(event);
          return Promise.resolve(() => undefined);
        },
        roomEnd: () => Promise.resolve(10),
        history: () => Promise.reject(new Error("nothing is lost here")),
      },
      reads: new Limiter(1),
      rechecksMs: [],
      metrics,
      log: quietLog(),
    },
  });
  await room.opened;
  onTestFinished(() => {
    room.close();
    fanOut.close();
  });
  return { room, fanOut, metrics, hear: (event) => hear(event) };
}
