import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Crowd, newRoom } from "../support/crowd.ts";
import { RpcClient } from "../support/rpc.ts";
import { reconnectNow, Stage, type Visitor } from "./visitor.ts";

describe("rooms and conversations", { timeout: 60_000 }, () => {
  const stage = new Stage();

  beforeAll(() => stage.start());
  afterEach(() => stage.clear());
  afterAll(() => stage.stop());

  it("are several at once, with marks for what was not read", async () => {
    const [one, two] = [newRoom("one"), newRoom("two")];
    const ann = await stage.enter("Ann", one);
    const bob = await stage.enter("Bob", one);
    await ann.join(two);
    await ann.say("said in the second room");
    await bob.say("are you there?");
    await bob.say("hello?");
    await ann.sidebar.getByRole("button", { name: `${one} 2 unread` }).waitFor();
    await expect.poll(() => ann.page.title()).toBe(`(2) #${two} · baccarat`);
    await ann.show(one);
    await ann.sees("hello?");
    await ann.log.getByText("New", { exact: true }).waitFor();
    await expect.poll(() => ann.page.title()).toBe(`#${one} · baccarat`);
    expect(await ann.sidebar.getByText("unread").count()).toBe(0);
    // What was read stays read, and the rooms stay, through a reload.
    await ann.page.reload();
    await ann.inRoom(one);
    await ann.show(two);
    await ann.sees("said in the second room");
    expect(await ann.sidebar.getByText("unread").count()).toBe(0);
    expect([...ann.complaints, ...bob.complaints]).toEqual([]);
  });

  it("are found by typing, and rooms left are remembered", async () => {
    const [red, blue] = [newRoom("red"), newRoom("blue")];
    const ann = await stage.enter("Ann", red);
    await ann.join(blue);
    const search = ann.page.getByRole("searchbox", { name: "Find or join a room" });
    await search.fill("red");
    await ann.sidebar.getByRole("button", { name: blue }).waitFor({ state: "detached" });
    await search.press("Escape");
    await ann.sidebar.getByRole("button", { name: blue }).waitFor();
    await search.fill("two words!");
    expect(await ann.sidebar.getByRole("button", { name: "Join" }).count()).toBe(0);
    await search.press("Escape");
    await ann.page.getByRole("button", { name: `Leave #${blue}` }).click();
    await ann.inRoom(red);
    await ann.sidebar.getByRole("region", { name: "Recent" }).getByRole("button", { name: blue }).click();
    await ann.inRoom(blue);
    expect(ann.complaints).toEqual([]);
  });

  it("say who is typing", async () => {
    const room = newRoom("typing");
    const ann = await stage.enter("Ann", room);
    const bob = await stage.enter("Bob", room);
    await bob.composer.pressSequentially("hm");
    await ann.page.getByText("Bob is typing").waitFor();
    expect(await bob.page.getByText("is typing").count()).toBe(0);
    await bob.composer.press("Enter");
    await ann.page.getByText("Bob is typing").waitFor({ state: "hidden" });
    await ann.sees("hm");
    expect([...ann.complaints, ...bob.complaints]).toEqual([]);
  });

  it("hold direct messages, begun by choosing a member", async () => {
    const room = newRoom("direct");
    const ann = await stage.enter("Ann", room);
    const bob = await stage.enter("Bob", room);
    const cem = await stage.enter("Cem", room);
    await ann.members.getByRole("button", { name: "Bob" }).click();
    await ann.page.getByRole("heading", { level: 1, name: "Bob" }).waitFor();
    await ann.log.getByText("Only the two of you can read this.").waitFor();
    await ann.say("psst");
    await bob.sidebar.getByRole("button", { name: "Ann 1 unread" }).waitFor();
    await bob.show("Ann");
    await bob.sees("psst");
    await bob.say("yes?");
    await ann.sees("yes?");
    expect(await bob.sidebar.getByText("unread").count()).toBe(0);
    expect(await cem.page.getByText("psst").count()).toBe(0);
    // A conversation is there again after a reload, read as far as it was.
    await ann.page.reload();
    await ann.page.getByRole("heading", { level: 1, name: "Bob" }).waitFor();
    await ann.sees("psst");
    await ann.sees("yes?");
    expect(await ann.log.getByText("yes?").count()).toBe(1);
    await bob.say("still there?");
    await ann.sees("still there?");
    expect([...ann.complaints, ...bob.complaints, ...cem.complaints]).toEqual([]);
  });

  it("have everything that was missed, when that is more than comes by itself", async () => {
    const room = newRoom("truncated");
    const ann = await stage.visit();
    const line = await lineOf(ann);
    await ann.enter("Ann", room);
    await using crowd = new Crowd(stage.topology);
    const [bob, cem] = [await crowd.join(room), await crowd.join(room)];
    const to_uid = (await bob.request("get_members", { room_id: room })).members.find(
      ({ username }) => username === "Ann",
    )?.uid;
    await bob.request("send_message", { to_uid, message: "hello" });
    await ann.sidebar.getByRole("button", { name: /1 unread/ }).click();
    await ann.sees("hello");
    // Read from history, so that where the conversation stands is known to the page alone.
    await ann.page.reload();
    await ann.sees("hello");
    line.cut();
    await ann.page.getByText(/^Connection lost\./).waitFor();
    const rpc = new RpcClient(stage.topology.rpcs[0] ?? "");
    const many = Array.from({ length: 101 }, (_, index) => ({ uid: cem.uid, to_uid, message: `line ${index}` }));
    await Promise.all(many.map((message) => rpc.call("RoomService/SendMessage", message)));
    await bob.request("send_message", { to_uid, message: "the last word" });
    line.restore();
    await reconnectNow(ann.page);
    await ann.sees("the last word");
    expect(await ann.log.getByText("hello", { exact: true }).count()).toBe(1);
    expect(ann.complaints).toEqual([]);
  });
});

/** Puts the connections of a page into the test's hand. To be called before the first one. */
async function lineOf({ page }: Visitor): Promise<{ cut(): void; restore(): void }> {
  let isCut = false;
  let tear = (): void => undefined;
  await page.routeWebSocket(/\/ws\b/, (socket) => {
    if (isCut) return void socket.close();
    const server = socket.connectToServer();
    tear = () => void Promise.all([socket.close({ code: 4000 }), server.close({ code: 4000 })]);
  });
  return {
    cut() {
      isCut = true;
      tear();
    },
    restore() {
      isCut = false;
    },
  };
}
