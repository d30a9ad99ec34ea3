import { AxeBuilder } from "@axe-core/playwright";
import type { BrowserContextOptions } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { newRoom } from "../support/crowd.ts";
import { eventually } from "../support/eventually.ts";
import { RpcClient } from "../support/rpc.ts";
import { PHONE, Stage, type Visitor } from "./visitor.ts";

describe("the page is for everybody", { timeout: 60_000 }, () => {
  const stage = new Stage();
  const rpc = () => new RpcClient(stage.topology.rpcs[0] ?? "");

  beforeAll(() => stage.start());
  afterEach(() => stage.clear());
  afterAll(() => stage.stop());

  describe.each([
    ["on a desk", {}],
    ["on a phone", PHONE],
  ] as const satisfies readonly (readonly [string, BrowserContextOptions])[])("%s", (_, options) => {
    it("has nothing that axe finds, light or dark", async () => {
      const room = newRoom("axe");
      const bob = await stage.enter("Bob", room);
      const ann = await stage.visit(options);
      await audit(ann, "the entrance");
      await ann.enter("Ann", room);
      await audit(ann, "an empty room");
      await ann.page.getByRole("button", { name: "Add a picture" }).click();
      const address = ann.page.getByRole("textbox", { name: "Address of a picture" });
      await address.fill("https://images.example.com/a.png");
      await ann.say("a picture");
      await bob.say("see https://example.com");
      await bob.composer.pressSequentially("still typing");
      await rpc().call("RoomService/PublishEvent", { room_id: room, type: "table.result", data: { cards: [8, 1] } });
      await rpc().call("AdminService/BroadcastNotice", { message: "maintenance at noon" });
      await ann.sees("table.result");
      await audit(ann, "a room with everything in it");
      const { members } = await rpc().call<{ members: Member[] }>("RoomService/ListMembers", { room_id: room });
      const uid = members.find(({ username }) => username === "Ann")?.uid;
      await rpc().call("RoomService/KickMember", { room_id: room, uid, reason: "kicked" });
      await ann.page.getByText("You were removed from this room.").waitFor();
      await audit(ann, "a room one was taken out of");
    });

    it("has nothing that axe finds on /duo", async () => {
      const visitor = await stage.visit(options, "/duo");
      const bob = visitor.page.getByRole("region", { name: "Bob" });
      await bob.getByText("Connected · 2 here").waitFor();
      await bob.getByRole("button", { name: "Cut" }).click();
      await bob.getByText("The line is cut.").waitFor();
      await audit(visitor, "/duo, one side cut");
    });
  });

  it("on a phone the lists are drawers, one at a time, and Escape closes them", async () => {
    const room = newRoom("phone");
    const ann = await stage.enter("Ann", room, PHONE);
    const bob = await stage.enter("Bob", room);
    expect(await ann.sidebar.isVisible()).toBe(false);
    expect(await ann.members.isVisible()).toBe(false);
    const width = await ann.page.evaluate<number>("document.documentElement.scrollWidth");
    expect(width).toBe(390);
    const menu = ann.page.getByRole("button", { name: "Rooms and conversations" });
    await menu.click();
    await ann.sidebar.getByRole("button", { name: room }).waitFor();
    await audit(ann, "an open drawer");
    await ann.page.keyboard.press("Escape");
    await ann.sidebar.waitFor({ state: "hidden" });
    expect(await focused(ann)).toBe("Rooms and conversations");
    await ann.page.getByRole("button", { name: "Members" }).click();
    await ann.members.getByRole("button", { name: "Bob" }).click();
    await ann.page.getByRole("heading", { level: 1, name: "Bob" }).waitFor();
    await ann.members.waitFor({ state: "hidden" });
    await ann.say("from a phone");
    await bob.sidebar.getByRole("button", { name: "Ann 1 unread" }).waitFor();
    expect([...ann.complaints, ...bob.complaints]).toEqual([]);
  });

  it("needs no pointer", async () => {
    const [room, other] = [newRoom("keys"), newRoom("other")];
    const bob = await stage.enter("Bob", room);
    const ann = await stage.visit();
    const { keyboard } = ann.page;
    await keyboard.type("Ann");
    await tabTo(ann, "Room");
    await keyboard.type(room);
    await keyboard.press("Enter");
    await ann.inRoom(room);
    expect(await focused(ann)).toBe("Message");
    await keyboard.type("one\ntwo\n");
    // Only what is stored can be deleted.
    await ann.message("one").getByText("Stored").waitFor();
    await ann.message("two").getByText("Stored").waitFor();
    // Arrows walk through messages from the last one; Delete deletes one's own.
    await tabTo(ann, "message", "Shift+Tab");
    await keyboard.press("ArrowUp");
    await keyboard.press("Delete");
    await ann.sees("Message deleted");
    expect([await ann.message("one").count(), await ann.message("two").count()]).toEqual([0, 1]);
    await keyboard.press("Escape");
    expect(await focused(ann)).toBe("Message");
    await keyboard.press("Control+k");
    expect(await focused(ann)).toBe("Find or join a room");
    await keyboard.type(other);
    await keyboard.press("Enter");
    await ann.inRoom(other);
    await keyboard.press("Alt+ArrowUp");
    await ann.inRoom(room);
    await tabTo(ann, "Bob");
    await keyboard.press("Enter");
    await ann.page.getByRole("heading", { level: 1, name: "Bob" }).waitFor();
    await eventually("the composer to have the focus", async () => (await focused(ann)) === "Message");
    await keyboard.type("by keys alone");
    await keyboard.press("Enter");
    await bob.sidebar.getByRole("button", { name: "Ann 1 unread" }).waitFor();
    expect([...ann.complaints, ...bob.complaints]).toEqual([]);
  });

  it("remembers the theme that was chosen, from the first paint on", async () => {
    const ann = await stage.visit({ colorScheme: "light" });
    const background = () => ann.page.evaluate<string>("getComputedStyle(document.body).backgroundColor");
    const light = await background();
    await ann.page.getByRole("button", { name: "Theme: as the system" }).click();
    await ann.page.getByRole("button", { name: "Theme: light" }).click();
    await ann.page.getByRole("button", { name: "Theme: dark" }).waitFor();
    const dark = await background();
    expect(dark).not.toBe(light);
    await ann.page.reload();
    expect(await background()).toBe(dark);
    expect(ann.complaints).toEqual([]);
  });
});

interface Member {
  readonly uid: string;
  readonly username: string;
}

async function audit({ page, complaints }: Visitor, what: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const axe = new AxeBuilder({ page });
    // The same elements in other colours: only these can be found wanting.
    if (colorScheme === "dark") axe.withRules(["color-contrast", "link-in-text-block"]);
    const { violations } = await axe.analyze();
    const findings = violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
    expect(findings, `${what}, ${colorScheme}`).toEqual([]);
  }
  expect(complaints, what).toEqual([]);
}

const FOCUSED = `(() => {
  const { activeElement: at } = document;
  return at?.getAttribute("aria-label") ?? at?.labels?.[0]?.textContent ?? at?.innerText ?? "";
})()`;

/** Name of what has the focus. */
async function focused({ page }: Visitor): Promise<string> {
  return (await page.evaluate<string>(FOCUSED)).trim();
}

/** Presses Tab until something of this name has the focus; "message" is any row of the log. */
async function tabTo(visitor: Visitor, name: string, key = "Tab"): Promise<void> {
  for (let presses = 0; presses < 30; presses++) {
    const there =
      name === "message"
        ? await visitor.page.evaluate<boolean>('document.activeElement?.matches("[role=log] .row") === true')
        : (await focused(visitor)) === name;
    if (there) return;
    await visitor.page.keyboard.press(key);
  }
  throw new Error(`Tab does not lead to ${name}; it leads to ${await focused(visitor)}`);
}
