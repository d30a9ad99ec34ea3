import { describe, expect, it } from "vitest";
import { ConversationLimit } from "../../../services/conversation-limit.ts";
import { RoomError } from "../../../services/errors.ts";
import { parseUid, type Uid } from "../../../services/ids.ts";

function user(id: string): Uid {
  const uid = parseUid(id);
  if (uid === undefined) throw new Error(`${id} is no uid`);
  return uid;
}

describe("the limit of new conversations", () => {
  it("is per user and minute, and says when the next one may begin", () => {
    let now = 0;
    const limit = new ConversationLimit({ perMinute: 2, now: () => now });
    limit.take(user("ann"));
    now = 10_000;
    limit.take(user("ann"));
    limit.take(user("bob"));
    now = 20_000;
    const retryAfterMs = 40_000;
    expect(() => limit.take(user("ann"))).toThrowError(
      new RoomError("rate_limited", "at most 2 new conversations a minute", { retryAfterMs }),
    );
    now = 60_001;
    limit.take(user("ann"));
    expect(() => limit.take(user("ann"))).toThrow(RoomError);
  });
});
