import { createServer } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { newRoom } from "../support/crowd.ts";
import { eventually } from "../support/eventually.ts";
import { RpcClient } from "../support/rpc.ts";
import { REFUSED, say, sides, texts } from "./duo.ts";
import { reconnectNow, Stage } from "./visitor.ts";

describe("when something breaks", { timeout: 60_000 }, async () => {
  // The page comes back to the address it was loaded from, so the server must too.
  const stage = new Stage({ EDGE_PORT: String(await freePort()) });
  const rpc = () => new RpcClient(stage.topology.rpcs[0] ?? "");

  beforeAll(() => stage.start());
  afterEach(() => stage.clear());
  afterAll(() => stage.stop());

  it("a refused message stays, with a button that sends it again", async () => {
    const room = newRoom("refused");
    const [ann] = [await stage.enter("Ann", room), await stage.enter("Bob", room)];
    await ann.members.getByText("2 here").waitFor();
    const { members } = await rpc().call<{ members: Member[] }>("RoomService/ListMembers", { room_id: room });
    const uidOf = (name: string) => members.find(({ username }) => username === name)?.uid;
    const block = { uid: uidOf("Bob"), blocked_uid: uidOf("Ann") };
    await rpc().call("RoomService/BlockUser", block);
    await ann.members.getByRole("button", { name: "Bob" }).click();
    await ann.type("can you hear me?");
    await ann.message("can you hear me?").getByText("Not sent. This user takes no direct messages from you.").waitFor();
    await rpc().call("RoomService/UnblockUser", block);
    await ann.message("can you hear me?").getByRole("button", { name: "Retry" }).click();
    await ann.message("can you hear me?").getByText("Stored").waitFor();
    expect(await ann.message("can you hear me?").count()).toBe(1);
    expect(ann.complaints).toEqual([]);
  });

  it("whoever is taken out of a room is told, and can come back", async () => {
    const room = newRoom("kicked");
    const ann = await stage.enter("Ann", room);
    await ann.say("before");
    const { members } = await rpc().call<{ members: Member[] }>("RoomService/ListMembers", { room_id: room });
    await rpc().call("RoomService/KickMember", { room_id: room, uid: members[0]?.uid, reason: "kicked" });
    await ann.page.getByText("You were removed from this room.").waitFor();
    expect(await ann.composer.isDisabled()).toBe(true);
    await ann.page.getByRole("button", { name: "Join again" }).click();
    await ann.inRoom(room);
    await ann.say("after");
    await ann.sees("before");
    expect(ann.complaints).toEqual([]);
  });

  it("a restarted server has everybody back, and what was written meanwhile is sent once", async () => {
    const room = newRoom("restart");
    const ann = await stage.enter("Ann", room);
    const bob = await stage.enter("Bob", room);
    await ann.say("before");
    await stage.topology.stopEdge(0);
    await ann.page.getByText(/^Connection lost\./).waitFor();
    await ann.type("written while nobody was there");
    await ann.message("written while").getByText("Sending").waitFor();
    await stage.topology.startEdge(0);
    await reconnectNow(ann.page);
    await ann.message("written while").getByText("Stored").waitFor();
    await bob.sees("written while nobody was there");
    await bob.say("here I am");
    await ann.sees("here I am");
    for (const visitor of [ann, bob]) {
      expect(await visitor.message("written while").count()).toBe(1);
      expect(await visitor.message("before").count()).toBe(1);
      expect(visitor.complaints.filter((complaint) => !REFUSED.test(complaint))).toEqual([]);
    }
  });

  it("a session the server takes no more makes a new guest of the same name", async () => {
    const room = newRoom("session");
    const ann = await stage.enter("Ann", room);
    await ann.page.evaluate('sessionStorage.setItem("baccarat.session", "yesterday.secret")');
    await ann.page.reload();
    await ann.inRoom(room);
    await ann.say("I am somebody else now");
    expect(ann.complaints).toEqual([]);
  });

  it("a token the server does not take is asked for again, and a guest may still come in", async () => {
    const room = newRoom("token");
    const ann = await stage.visit();
    await ann.page.getByRole("button", { name: "Log in with a token" }).click();
    await ann.page.getByRole("textbox", { name: "Token" }).fill("not.a.token");
    await ann.page.getByRole("button", { name: "Log in", exact: true }).click();
    await ann.page.getByText(/^The token was not accepted/).waitFor();
    await ann.page.reload();
    await ann.page.getByRole("textbox", { name: "Token" }).waitFor();
    await ann.page.getByRole("button", { name: "Enter as a guest" }).click();
    await ann.enter("Ann", room);
    await ann.say("here after all");
    expect(ann.complaints).toEqual([]);
  });

  it("/duo shows a gap being filled: cut one side, talk on the other, restore", async () => {
    const { page, complaints } = await stage.visit({}, "/duo");
    const { ann, bob } = sides(page);
    for (const side of [ann, bob]) await side.getByText("Connected · 2 here").waitFor();
    await say(ann, "can you see this?");
    await bob.getByText("can you see this?").waitFor();
    await bob.getByRole("button", { name: "Cut" }).click();
    await bob.getByText("Cut off").waitFor();
    for (const text of ["one", "two", "three"]) await say(ann, text);
    await say(bob, "from the dark");
    expect(await bob.getByText("three", { exact: true }).count()).toBe(0);
    await bob.getByRole("button", { name: "Restore" }).click();
    await bob.getByText("Recovered 3 messages").waitFor();
    await bob.getByText(/3 messages recovered after \d+ s away/).waitFor();
    await ann.getByText("from the dark").waitFor();
    const order = ["can you see this?", "one", "two", "three", "from the dark"];
    for (const side of [ann, bob]) {
      await eventually("both sides to be the same", async () => (await texts(side)).join() === order.join(), {
        state: () => complaints,
      });
    }
    expect(await bob.locator(".row.missed").count()).toBe(3);
    expect(complaints).toEqual([]);
  });

  it("/duo says so when its edges are none", async () => {
    const { page, complaints } = await stage.visit({}, "/duo?edges=nonsense");
    await page.getByRole("alert").getByText("edges must be one or two addresses").waitFor();
    expect(complaints).toEqual([]);
  });

  it("says when too much was missed to list", async () => {
    const room = newRoom("flood");
    const { page, complaints } = await stage.visit({}, `/duo#${room}`);
    const bob = page.getByRole("region", { name: "Bob" });
    await bob.getByText("Connected · 2 here").waitFor();
    await bob.getByRole("button", { name: "Cut" }).click();
    const flood = Array.from({ length: 301 }, (_, index) => ({ room_id: room, message: `flood ${index}` }));
    await Promise.all(flood.map((message) => rpc().call("RoomService/SendMessage", message)));
    await rpc().call("RoomService/SendMessage", { room_id: room, message: "the end of the flood" });
    await bob.getByRole("button", { name: "Restore" }).click();
    await bob.getByText("Too much was missed to list; these are the latest messages.").waitFor();
    await bob.getByText("the end of the flood").waitFor();
    expect(complaints).toEqual([]);
  });
});

interface Member {
  readonly uid: string;
  readonly username: string;
}

function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const server = createServer().once("error", reject);
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
  });
  return promise;
}
