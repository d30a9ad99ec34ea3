import { onTestFinished } from "vitest";
import type { StoredEvent } from "../../../broker/broker.ts";
import { FanOut } from "../../../edge/fan-out.ts";
import { Feed } from "../../../edge/feed.ts";
import { HostedRoom } from "../../../edge/hosted-room.ts";
import { Limiter } from "../../../edge/limiter.ts";
import { Presence } from "../../../edge/presence.ts";
import { Ring } from "../../../edge/ring.ts";
import { Metrics } from "../../../services/metrics.ts";
import { quietLog } from "../services/room/replica.ts";
import { room as roomId } from "./stored.ts";

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
  const ring = new Ring({ epoch: "e", limits: { events: 512, chars: 1_000_000, ageMs: 60_000 } });
  const metrics = new Metrics();
  let hear: (event: StoredEvent) => void = () => undefined;
  const room = new HostedRoom({
    id,
    epoch: "e",
    ring,
    fanOut,
    metrics,
    makeFeed: (listener) =>
      new Feed({
        room: id,
        source: {
          subscribe: (heard) => {
            hear = (event) => heard.onEvent(event);
            return Promise.resolve(() => undefined);
          },
          position: () => Promise.resolve(10),
          history: () => Promise.reject(new Error("nothing is lost here")),
        },
        ring,
        reads: new Limiter(1),
        listener,
        rechecksMs: [],
        metrics,
        log: quietLog(),
      }),
    makePresence: (push) => new Presence({ room: id, push }),
  });
  await room.opened;
  onTestFinished(() => {
    room.close();
    fanOut.close();
  });
  return { room, fanOut, metrics, hear: (event) => hear(event) };
}
