import type { WebSocket } from "ws";
import { FIXED } from "../services/limits.ts";
import { RateLimit } from "./rate-limit.ts";

// Below the 100 unsent pongs at which ws cuts a connection off without a word.
const RULE = { perSecond: FIXED.controlFramesPerSecond, burst: FIXED.controlFrameBurst, maxWaitMs: 0 };

/**
 * Hears pings and pongs of a client, which cost work but are no frames of the protocol. `onFlood` is called when there are
 * more than FIXED.controlFrameBurst at once and FIXED.controlFramesPerSecond after that; nothing is heard any more then.
 */
export function limitControlFrames(webSocket: WebSocket, onFlood: () => void): void {
  const limit = new RateLimit(RULE);
  const count = (): void => {
    if (limit.take(performance.now()) !== undefined) return;
    webSocket.off("ping", count);
    webSocket.off("pong", count);
    onFlood();
  };
  webSocket.on("ping", count);
  webSocket.on("pong", count);
}
