import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { newRoom } from "../support/crowd.ts";
import { eventually } from "../support/eventually.ts";
import { RpcClient } from "../support/rpc.ts";
import { Stage } from "./visitor.ts";

describe("the page", { timeout: 60_000 }, () => {
  const stage = new Stage();
  const rpc = () => new RpcClient(stage.topology.rpcs[0] ?? "");

  beforeAll(() => stage.start());
  afterEach(() => stage.clear());
  afterAll(() => stage.stop());

  it("lets two people talk, and shows who is there, who comes and who goes", async () => {
    const room = newRoom("talk");
    const ann = await stage.enter("Ann", room);
    const bob = await stage.enter("Bob", room);
    await ann.sees("Bob joined");
    await ann.say("hello Bob");
    await bob.say("hello Ann");
    for (const visitor of [ann, bob]) {
      await visitor.sees("hello Bob");
      await visitor.sees("hello Ann");
      await visitor.members.getByText("2 here").waitFor();
      for (const name of ["Ann", "Bob"]) await visitor.members.getByText(name, { exact: true }).waitFor();
    }
    await bob.page.getByRole("button", { name: `Leave #${room}` }).click();
    await bob.page.getByRole("heading", { name: "No room open" }).waitFor();
    await ann.members.getByText("1 here").waitFor();
    await ann.sees("Bob left");
    expect([...ann.complaints, ...bob.complaints]).toEqual([]);
  });

  it("shows what people write as text, never as markup", async () => {
    const room = newRoom("markup");
    const markup = '<img src="x" onerror="complain(`a script ran`)"><b>bold</b> javascript:alert(1)';
    const ann = await stage.enter("<i>Ann</i>", room);
    const bob = await stage.enter("Bob", room);
    await ann.say(markup);
    await ann.say("see https://example.com/a_(b).");
    await rpc().call("RoomService/PublishEvent", { room_id: room, type: "x.y", data: { html: "<script>1</script>" } });
    await bob.log.getByText(markup).waitFor();
    await bob.log.getByText('{"html":"<script>1</script>"}').waitFor();
    await bob.members.getByText("<i>Ann</i>", { exact: true }).waitFor();
    expect(await bob.page.locator("main img, main b, main i, main script").count()).toBe(0);
    const links = await bob.log.getByRole("link").all();
    expect(await Promise.all(links.map((link) => link.getAttribute("href")))).toEqual(["https://example.com/a_(b)"]);
    expect([...ann.complaints, ...bob.complaints]).toEqual([]);
  });

  it("has the history, the rooms and the same user after a reload, and makes another tab another user", async () => {
    const room = newRoom("reload");
    const ann = await stage.enter("Ann", room);
    for (const text of ["one", "two", "three"]) await ann.say(text);
    await ann.page.reload();
    await ann.inRoom(room);
    await ann.sees("three");
    expect(await ann.log.getByText("Stored").count()).toBe(3);
    await ann.members.getByText("1 here").waitFor();
    const tab = await ann.page.context().newPage();
    await tab.goto(`${stage.home}/#${room}`);
    expect(await tab.getByRole("textbox", { name: "Your name" }).inputValue()).toBe("Ann");
    expect(await tab.getByRole("textbox", { name: "Room" }).inputValue()).toBe(room);
    await tab.getByRole("button", { name: "Enter", exact: true }).click();
    await ann.members.getByText("2 here").waitFor();
    expect(ann.complaints).toEqual([]);
  });

  it("loads older messages on scrolling up, and what is looked at stays where it is", async () => {
    const room = newRoom("older");
    for (let index = 1; index <= 120; index++) {
      await rpc().call("RoomService/SendMessage", { room_id: room, message: `line ${index} of many` });
    }
    const ann = await stage.enter("Ann", room);
    await ann.sees("line 120 of many");
    expect(await ann.message("line 70 of many").count()).toBe(0);
    // What is on top when the older page comes must be on the same pixel afterwards.
    const anchor = ann.message("line 85 of many");
    const before = await anchor.evaluate((row) => {
      const log = row.closest("[role=log]");
      if (log) log.scrollTop = 300;
      return row.getBoundingClientRect().y;
    });
    const moved = async (): Promise<number> => Math.abs(((await anchor.boundingBox())?.y ?? 0) - before);
    await ann.sees("line 30 of many");
    expect(await moved()).toBeLessThan(2);
    // Something new does not pull the reader down, but says so.
    await rpc().call("RoomService/SendMessage", { room_id: room, message: "the latest" });
    await ann.page.getByRole("button", { name: "1 new message" }).waitFor();
    expect(await moved()).toBeLessThan(2);
    await ann.page.getByRole("button", { name: "1 new message" }).click();
    await eventually("the latest message in view", () => ann.message("the latest").isVisible());
    await ann.log.evaluate((log) => {
      log.scrollTop = 0;
    });
    await ann.log.getByText(`This is the beginning of #${room}`).waitFor();
    expect(await ann.log.getByText(/^line \d+ of many$/).count()).toBe(120);
    expect(ann.complaints).toEqual([]);
  });

  it("loads a picture only when asked to", async () => {
    const room = newRoom("picture");
    const ann = await stage.enter("Ann", room);
    const loads: string[] = [];
    await ann.page.route("https://images.example.com/**", (route) => {
      loads.push(route.request().url());
      const body = '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="30"></svg>';
      return route.fulfill({ contentType: "image/svg+xml", body });
    });
    await ann.page.getByRole("button", { name: "Add a picture" }).click();
    const address = ann.page.getByRole("textbox", { name: "Address of a picture" });
    await address.fill("http://images.example.com/a.svg");
    expect(await address.getAttribute("aria-invalid")).toBe("true");
    expect(await ann.page.getByRole("button", { name: "Send" }).isDisabled()).toBe(true);
    await address.fill("https://images.example.com/a.svg");
    await ann.say("look at this");
    await ann.sees("images.example.com");
    expect(loads).toEqual([]);
    await ann.log.getByRole("button", { name: "Show" }).click();
    await ann.log.getByRole("img", { name: "Picture from Ann" }).waitFor();
    expect(loads).toEqual(["https://images.example.com/a.svg"]);
    expect(ann.complaints).toEqual([]);
  });

  it("shows services' events in a line, deletions, and an operator's words", async () => {
    const room = newRoom("events");
    const ann = await stage.enter("Ann", room);
    const bob = await stage.enter("Bob", room);
    await rpc().call("RoomService/PublishEvent", { room_id: room, type: "table.result", data: { cards: [8, 1] } });
    const event = bob.log.getByRole("listitem").filter({ hasText: "table.result" });
    await event.getByText('{"cards":[8,1]}').click();
    await event.getByText('"cards": [').waitFor();
    await ann.say("oops");
    await bob.sees("oops");
    await ann.message("oops").hover();
    await ann.message("oops").getByRole("button", { name: "Delete message" }).click();
    for (const visitor of [ann, bob]) {
      await visitor.sees("Message deleted");
      expect(await visitor.message("oops").count()).toBe(0);
    }
    await rpc().call("AdminService/BroadcastNotice", { message: "maintenance at noon" });
    await ann.page.getByText("maintenance at noon").waitFor();
    await ann.page.getByRole("button", { name: "Dismiss notice" }).click();
    await ann.page.getByText("maintenance at noon").waitFor({ state: "detached" });
    expect([...ann.complaints, ...bob.complaints]).toEqual([]);
  });

  it("says what a room is called, and what keeps the user from writing in it", async () => {
    const room = newRoom("rules");
    const ann = await stage.enter("Ann", room);
    const send = ann.page.getByRole("button", { name: "Send" });
    const update = (settings: object) =>
      rpc().call("RoomService/UpdateRoom", { room: { room_id: room, ...settings }, update_mask: mask(settings) });
    await update({ title: "Table 7", slow_mode_ms: 60_000 });
    await ann.page.getByRole("heading", { level: 1, name: "Table 7" }).waitFor();
    await ann.page.getByText(`#${room} · 1 member · Slow mode 1 min`).waitFor();
    await ann.sees("The room is now called “Table 7”.");
    await ann.say("the first of this minute");
    await ann.composer.fill("the second");
    await ann.page.getByText(/^Slow mode: one message every 1 min\.Next one in \d+ s\.$/).waitFor();
    await ann.composer.press("Enter");
    expect([await send.isDisabled(), await ann.composer.inputValue()]).toEqual([true, "the second"]);
    await update({ slow_mode_ms: 0 });
    await eventually("the button to work", () => send.isEnabled());
    await update({ frozen: true });
    await ann.page.getByText("The room is frozen: only moderators write.").first().waitFor();
    expect(await ann.composer.isDisabled()).toBe(true);
    // Whoever comes later is told so by the join.
    await ann.page.reload();
    await ann.page.getByRole("heading", { level: 1, name: "Table 7" }).waitFor();
    await ann.page.getByText("The room is frozen: only moderators write.").waitFor();
    await update({ frozen: false });
    await ann.say("open again");
    const { members } = await rpc().call<{ members: { uid: string }[] }>("RoomService/ListMembers", { room_id: room });
    await rpc().call("RoomService/MuteMember", { room_id: room, uid: members[0]?.uid, duration: "1s", reason: "caps" });
    await ann.page.getByText(/^You are muted until/).waitFor();
    await ann.sees("You were muted until");
    // Its end is told by nobody.
    await eventually("the end of the mute", () => ann.composer.isEnabled());
    await ann.say("thanks");
    expect(ann.complaints).toEqual([]);
  });

  it("comes with headers that keep scripts, frames and guesses of others out", async () => {
    for (const path of ["/", "/duo"]) {
      const response = await fetch(`${stage.home}${path}`);
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
      const policy = response.headers.get("content-security-policy") ?? "";
      expect(policy).toContain("default-src 'self'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain("unsafe");
      expect(response.headers.get("x-content-type-options")).toBe("nosniff");
      expect(await response.text()).not.toMatch(/<script>|<style>| on\w+=| style=/);
    }
    for (const path of ["/nothing", "/../package.json", "/%2e%2e/package.json", "//etc/passwd", "/.env", "/duo/"]) {
      expect([400, 404], path).toContain((await fetch(`${stage.home}${path}`)).status);
    }
  });
});

/** Names every setting that is given. */
function mask(settings: object): string {
  return Object.keys(settings)
    .map((name) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()))
    .join();
}
