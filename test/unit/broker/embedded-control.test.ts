import { describe, expect, it } from "vitest";
import { EmbeddedControl } from "../../../broker/embedded-control.ts";
import { LiveFeed } from "../../../broker/embedded-live.ts";
import { startScripted } from "./scripted-storage.ts";

describe("EmbeddedControl", () => {
  it("tells its watches when nothing more will come", async () => {
    const { thread, log } = await startScripted(`
      if (count === 1) answer(request, [[{ key: "a", revision: 1, value: new Uint8Array([1]) }]]);
      else throw new Error("no more");
    `);
    const control = new EmbeddedControl({ thread, live: new LiveFeed({ log }) });
    const heard: string[] = [];
    await control.watch({
      onEntry: ({ key }) => heard.push(key),
      onCaughtUp: () => heard.push("caught up"),
      onInterrupted: () => heard.push("interrupted"),
    });
    await expect(control.get("a")).rejects.toMatchObject({ reason: "unavailable" });
    await thread.stopped;
    expect(heard).toEqual(["a", "caught up", "interrupted"]);
    await expect(control.put("a", new Uint8Array())).rejects.toMatchObject({ reason: "unavailable" });
    await thread.close();
  });
});
