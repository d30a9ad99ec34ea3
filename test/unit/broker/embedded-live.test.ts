import { describe, expect, it } from "vitest";
import { LiveFeed } from "../../../broker/embedded-live.ts";
import { recordingLog } from "../../contract/embedded-storage.ts";
import { message, room, textsOf, typing } from "../../contract/events.ts";
import { Recorder } from "../../contract/recorder.ts";

const LOBBY = room("lobby");

describe("LiveFeed", () => {
  it("spares the others, and the caller, a listener that throws, and logs it", () => {
    const { log, lines } = recordingLog();
    const live = new LiveFeed({ log });
    const bad = (): never => {
      throw new Error("bad listener");
    };
    const [heard, all] = [new Recorder(), new Recorder()];
    live.addRoom(LOBBY, { onEvent: bad, onSignal: bad });
    live.addRoom(LOBBY, heard);
    live.addAll(bad);
    live.addAll(all.hear);
    live.deliver({ room: LOBBY, seq: 1, prevSeq: 0, event: message(LOBBY, "hello") });
    live.deliverSignal(LOBBY, typing(LOBBY, "percy"));
    expect([textsOf(heard.events), heard.signals.length, textsOf(all.events)]).toEqual([["hello"], 1, ["hello"]]);
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatchObject({ level: "error", err: { message: "bad listener" } });
  });

  it("does not call a listener that another one has just unsubscribed", () => {
    const live = new LiveFeed({ log: recordingLog().log });
    const heard = new Recorder();
    let unsubscribe = (): void => undefined;
    live.addRoom(LOBBY, { onEvent: () => unsubscribe(), onSignal: () => undefined });
    unsubscribe = live.addRoom(LOBBY, heard);
    live.deliver({ room: LOBBY, seq: 1, prevSeq: 0, event: message(LOBBY, "hello") });
    expect(heard.events).toEqual([]);
  });
});
