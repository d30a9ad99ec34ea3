import type { WebSocket } from "ws";
import { FIXED } from "../services/limits.ts";
import { RateLimit } from "./rate-limit.ts";

// Below the 100 unsent pongs at which ws cuts a connection off without a word.
const RULE = { perSecond: FIXED.controlFramesPerSecond, burst: FIXED.controlFrameBurst, maxWaitMs: 0 };

/** Whose control frames are heard. */
export interface ControlFrameOwner {
  onPong(): void;
  /**
   * There were more than FIXED.controlFrameBurst at once and FIXED.controlFramesPerSecond after that; none is heard any
   * more.
   */
  onControlFlood(): void;
}

/** Hears pings and pongs of a client, which cost work but are no frames of the protocol. */
export function hearControlFrames(webSocket: WebSocket, owner: ControlFrameOwner): void {
  const limit = new RateLimit(RULE);
  const onPing = (): boolean => {
    if (limit.take(performance.now()) !== undefined) return true;
    webSocket.off("ping", onPing);
    webSocket.off("pong", onPong);
    owner.onControlFlood();
    return false;
  };
  const onPong = (): void => {
    if (onPing()) owner.onPong();
  };
  webSocket.on("ping", onPing);
  webSocket.on("pong", onPong);
}
