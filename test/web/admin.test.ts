import { join } from "node:path";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Complaints, openBrowser, openTab } from "../support/browser.ts";
import { TestClient } from "../support/client.ts";
import { newRoom } from "../support/crowd.ts";
import { eventually, PATIENCE_MS } from "../support/eventually.ts";
import { ROOT } from "../support/process.ts";
import { RpcClient } from "../support/rpc.ts";
import { singleProcess } from "../support/topology.ts";
import { startRoom } from "../unit/services/rpc/room-fixture.ts";
import { dialogTests } from "./admin-dialogs.ts";
import { audit, focused, Talker, tabTo } from "./operator.ts";
import { PHONE } from "./visitor.ts";

const OPS = "a-secret-of-the-operators-of-32-bytes";
const VIEWER = "a-secret-of-those-who-look-32-bytes";
const DEALER = "a-secret-of-those-who-speak-32-bytes";
const EDGE = "edge-one";
/** The tests share one server and one browser at the same time, as what they do most is to wait. */
const WAIT_MS = 3 * PATIENCE_MS;

/** Chromium says so of every such answer, whoever handles it. */
const REFUSED = /the server responded with a status of 40[013]/;

describe("the console", { timeout: 90_000 }, () => {
  const topology = singleProcess({
    RPC_TOKENS: `ops:admin:${OPS},viewer:read:${VIEWER},dealer:publish:${DEALER}`,
    EDGE_ID: EDGE,
  });
  const rpc = () => new RpcClient(topology.rpcs[0] ?? "", OPS);
  let browser: Browser;
  let talker: Talker;

  beforeAll(async () => {
    await topology.start();
    talker = await Talker.start(topology.edges[0] ?? "", newRoom("talk"));
    browser = await openBrowser();
  });
  afterAll(async () => {
    await talker.stop();
    await browser.close();
    await topology.stop();
  });

  async function visit(options: BrowserContextOptions = {}, url = topology.rpcs[0]): Promise<Page & Complaints> {
    const page = await openTab(browser, `${url}/admin`, options);
    page.setDefaultTimeout(WAIT_MS);
    return page;
  }

  async function logIn(page: Page, token: string): Promise<void> {
    await page.getByLabel("Service token").fill(token);
    await page.getByRole("button", { name: "Log in" }).click();
  }

  /** Opens the console, logged in, at one of its places. */
  async function open(place: string, options: BrowserContextOptions = {}, token = OPS): Promise<Page & Complaints> {
    const page = await visit(options);
    await logIn(page, token);
    await page.getByRole("navigation", { name: "Console" }).getByRole("link", { name: place }).click();
    await page.getByRole("heading", { level: 1, name: place }).waitFor();
    return page;
  }

  /** Closes the console, about which the browser had nothing to complain. */
  async function leave(page: Page & Complaints): Promise<void> {
    expect(page.complaints.filter((text) => !REFUSED.test(text))).toEqual([]);
    await page.context().close();
  }

  function guest(username: string, room_id: string): Promise<TestClient> {
    return TestClient.connect(topology.edges[0] ?? "", { query: { username, room_id } });
  }

  it.concurrent("lets in who has a token with the scope to look, and says why not to others", async () => {
    const page = await visit();
    const alert = page.getByRole("alert");
    await logIn(page, "a-token-that-nobody-was-given-ever");
    await alert.getByText("This token is not accepted: Unknown token.").waitFor();
    await logIn(page, DEALER);
    await alert.getByText("lacks the scope “read”").waitFor();
    await logIn(page, OPS);
    await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
    expect(await page.evaluate<string>("JSON.stringify(localStorage)")).not.toContain(OPS);
    await page.getByRole("button", { name: "Forget token" }).click();
    await page.getByLabel("Service token").waitFor();
    expect(await page.evaluate<string>("JSON.stringify(sessionStorage)")).not.toContain(OPS);
    await leave(page);
  });

  it.concurrent("shows numbers that move, with charts, for all and for each edge", async () => {
    const page = await open("Overview");
    const tile = (name: string): Locator => page.getByRole("region", { name, exact: true });
    const number = async (name: string): Promise<number> => Number(await tile(name).locator(".tile-value").innerText());
    await tile("Connections")
      .getByText(/^[1-9]\d* users?$/)
      .waitFor();
    const before = await number("Connections");
    const crowd = await Promise.all(Array.from({ length: 20 }, (_, at) => guest(`Guest ${at}`, newRoom("numbers"))));
    const shown = (name: string, least: number) => async () => (await number(name)) >= least;
    await eventually("more connections", shown("Connections", before + 10), { withinMs: WAIT_MS });
    await eventually("their rooms", shown("Rooms", 11), { withinMs: WAIT_MS });
    expect(await number("Messages per second")).toBeGreaterThan(0);
    // Edges say every 3 s what they did.
    await tile("Delivery lag")
      .getByText(/^99 % within [\d.]+ m?s$/)
      .waitFor();
    const edge = page.getByRole("article", { name: EDGE });
    expect(await edge.getByRole("definition").filter({ hasText: /ms$/ }).count()).toBe(1);
    for (const name of ["Connections", `Messages/s of ${EDGE}`]) {
      const chart = page.getByRole("img", { name: new RegExp(`^${name}, last 5 min: now [\\d.]+, between`) });
      expect(await chart.first().locator("canvas").count()).toBe(1);
    }
    await Promise.all(crowd.map((client) => client.close()));
    await leave(page);
  });

  it.concurrent("finds rooms, makes them, changes them, freezes and deletes them", async () => {
    const room = newRoom("rooms");
    const page = await open("Rooms");
    await page.getByRole("button", { name: "New room" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Room id").fill("not a room id");
    await dialog.getByRole("button", { name: "Create room" }).click();
    await dialog.getByRole("alert").getByText("invalid_argument").waitFor();
    await dialog.getByLabel("Room id").fill(room);
    await dialog.getByLabel("Title").fill("<b>Table</b>");
    await dialog.getByLabel("Metadata").fill("game=baccarat");
    await dialog.getByRole("button", { name: "Create room" }).click();
    await page.getByRole("heading", { level: 1, name: room }).waitFor();
    await page.getByText("<b>Table</b>").waitFor();
    const ann = await guest("Ann", room);
    await ann.next("room_joined");
    await page.getByRole("button", { name: "Freeze" }).click();
    await page.getByText("Frozen", { exact: true }).waitFor();
    expect((await ann.refused("send_message", { room_id: room, message: "x" })).code).toBe("permission_denied");
    await page.getByRole("button", { name: "Thaw" }).click();
    await page.getByRole("button", { name: "Freeze" }).waitFor();
    await ann.say(room, "free again");
    await page.getByRole("button", { name: "Settings" }).click();
    await dialog.getByLabel("Most members").fill("9");
    await dialog.getByRole("button", { name: "Save" }).click();
    await page.getByText("At most 9").waitFor();
    expect(await rpc().call("RoomService/GetRoom", { room_id: room })).toMatchObject({
      room: { title: "<b>Table</b>", capacity: 9, frozen: false, metadata: { game: "baccarat" } },
    });
    await page.getByRole("navigation", { name: "Console" }).getByRole("link", { name: "Rooms" }).click();
    await page.getByRole("searchbox").fill(room.slice(0, -1));
    await page.getByRole("row").filter({ hasText: room }).getByRole("link").click();
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    expect(await dialog.getByRole("button", { name: "Delete room" }).isDisabled()).toBe(true);
    await dialog.getByLabel(`Type ${room} to confirm`).fill(room);
    await dialog.getByRole("button", { name: "Delete room" }).click();
    await page.getByRole("heading", { level: 1, name: "Rooms" }).waitFor();
    await ann.next("room_left", ({ reason }) => reason === "room_deleted");
    await page.getByRole("searchbox").fill(room);
    await page.getByText(`No room whose id begins with “${room}”`).waitFor();
    await ann.close();
    await leave(page);
  });

  it.concurrent("follows a room live, reads back in its past, and says something as the service", async () => {
    const room = newRoom("tail");
    const ann = await guest("Ann", room);
    await ann.next("room_joined");
    for (let line = 1; line <= 60; line++) {
      await rpc().call("RoomService/SendMessage", { room_id: room, message: `line ${line} of many` });
    }
    const page = await open("Rooms");
    await page.getByRole("searchbox").fill(room);
    await page.getByRole("row").filter({ hasText: room }).getByRole("link").click();
    const log = page.getByRole("log", { name: "Events" });
    await page.getByText("Live", { exact: true }).waitFor();
    await log.getByText("line 60 of many").waitFor();
    expect(await log.getByText("line 10 of many").count()).toBe(0);
    await log.getByRole("button", { name: "Load older" }).click();
    await log.getByText("line 1 of many").waitFor();
    expect(await log.getByRole("listitem").count()).toBe(60);
    await ann.say(room, '<img src="x" onerror="complain(1)">');
    await log.getByText('<img src="x"').waitFor();
    await page.getByLabel("Message", { exact: true }).fill("from the console");
    await page.keyboard.press("Enter");
    await ann.next("new_message", ({ message, uid }) => message === "from the console" && uid === "service:ops");
    await log.getByText("from the console").waitFor();
    await page.getByLabel("What to send").selectOption("event");
    await page.getByLabel("Event type").fill("table.result");
    await page.getByLabel("Event data").fill('{"winner": "banker"}');
    await page.getByRole("button", { name: "Send" }).click();
    await log.getByText('{"winner":"banker"}').waitFor();
    await log.getByRole("listitem").filter({ hasText: "from the console" }).hover();
    await log.getByRole("listitem").filter({ hasText: "from the console" }).getByRole("button").click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete message" }).click();
    await log.getByText(/^service:ops deleted #\d+$/).waitFor();
    expect(await log.getByText("from the console").count()).toBe(0);
    await page.getByRole("region", { name: "Members" }).getByText("Ann", { exact: true }).waitFor();
    await ann.close();
    await leave(page);
  });

  it.concurrent("finds a user's connections, disconnects and bans, takes tokens back, and the audit log has it all", async () => {
    const room = newRoom("clients");
    const [clara, bert] = [await guest("Clara", room), await guest("Bert", room)];
    await Promise.all([clara.next("room_joined"), bert.next("room_joined")]);
    const page = await open("Clients");
    const dialog = page.getByRole("dialog");
    const manage = async (name: string, act: string): Promise<void> => {
      await page.getByRole("button", { name: `Manage ${name}` }).click();
      await dialog.getByRole("button", { name: act, exact: true }).click();
    };
    await page.getByRole("searchbox").fill(bert.uid);
    await page.getByRole("button", { name: "Manage Clara" }).waitFor({ state: "detached" });
    await manage("Bert", "Ban from a room");
    await dialog.getByLabel("For how long").selectOption("1 hour");
    await dialog.getByLabel("Reason").fill("spam");
    await dialog.getByRole("button", { name: "Ban", exact: true }).click();
    await bert.next("room_left", ({ reason }) => reason === "banned");
    await dialog.waitFor({ state: "detached" });
    await manage("Bert", "Disconnect");
    await dialog.getByLabel("Reason").fill("go away");
    await dialog.getByRole("button", { name: "Disconnect", exact: true }).click();
    expect(await bert.closed).toMatchObject({ code: 4503, reason: "go away" });
    await page.getByText("No connection with the user id").waitFor();
    await page.getByLabel("Find by").selectOption("Room id");
    await page.getByRole("searchbox").fill(room);
    await page.getByRole("button", { name: "Manage Clara" }).waitFor();
    await page.getByRole("button", { name: "Revoke tokens" }).click();
    await dialog.getByLabel("All tokens of the user").fill("u-oscar");
    await dialog.getByRole("button", { name: "Revoke", exact: true }).click();
    await page.getByText("The tokens were taken back.").waitFor();
    await page.getByRole("navigation", { name: "Console" }).getByRole("link", { name: "Audit" }).click();
    await page.getByRole("row").filter({ hasText: "u-oscar" }).getByText("revoke tokens").waitFor();
    await page.getByRole("searchbox", { name: "Only about this user" }).fill(bert.uid);
    await page.getByRole("row").filter({ hasText: "u-oscar" }).waitFor({ state: "detached" });
    const acts = await page.getByRole("row").locator(".tag").allInnerTexts();
    expect(acts).toEqual(["disconnect", "ban"]);
    await clara.close();
    await leave(page);
  });

  dialogTests({ rpc, guest, open, leave });

  it.concurrent("says which scope a token lacks, and shows all the same", async () => {
    const room = newRoom("viewer");
    await rpc().call("RoomService/CreateRoom", { room: { room_id: room } });
    const page = await open("Rooms", {}, VIEWER);
    await page.getByRole("link", { name: room }).click();
    await page.getByRole("button", { name: "Freeze" }).click();
    await page.getByText("This token lacks the scope admin").waitFor();
    await page.getByText("The token lacks scope admin. (permission_denied)").waitFor();
    await page.getByLabel("Message", { exact: true }).fill("may I?");
    await page.keyboard.press("Enter");
    await page.getByText("This token lacks the scope admin and publish").waitFor();
    await leave(page);
  });

  it.concurrent.each([
    ["on a desk", {}, ["rooms", "clients", "audit"]],
    ["on a phone", PHONE, []],
  ] as const satisfies readonly (readonly [string, BrowserContextOptions, readonly string[]])[])(
    "has nothing that axe finds, light or dark, %s",
    async (_, options, places) => {
      const room = `${newRoom("axe")}-${"x".repeat(30)}`;
      const ann = await guest("Ann", room);
      await ann.say(room, "hello");
      await rpc().call("RoomService/BanMember", { room_id: room, uid: "mallory", reason: "spam" });
      await rpc().call("RoomService/PublishEvent", { room_id: room, type: "table.card", data: { card: "8" } });
      const page = await visit(options);
      if (options !== PHONE) await audit(page, "the login");
      await logIn(page, OPS);
      await page.getByText("Live, every 2 s").waitFor();
      await audit(page, "the overview", "dark");
      for (const place of places) {
        await page.evaluate(`location.hash = "#/${place}"`);
        await page.getByRole("table").waitFor();
        await audit(page, place);
      }
      await page.evaluate(`location.hash = "#/rooms/${room}"`);
      await page.getByText("table.card").waitFor();
      await page.getByRole("region", { name: "Bans" }).getByText("mallory").waitFor();
      await audit(page, "a room", "dark");
      await page.getByRole("button", { name: "Settings" }).click();
      await audit(page, "a dialog");
      await page.keyboard.press("Escape");
      for (const place of ["overview", "rooms", "clients", "edges", "audit", `rooms/${room}`]) {
        await page.evaluate(`location.hash = "#/${place}"`);
        await page.getByRole("heading", { level: 1 }).waitFor();
        await eventually(`all of ${place}`, async () => (await page.locator(".loading").count()) === 0);
        const widths = "[document.documentElement.scrollWidth, document.getElementById('main').scrollWidth]";
        const [whole = 0, main = 0] = await page.evaluate<number[]>(widths);
        expect([place, whole <= (page.viewportSize()?.width ?? 0), main <= whole]).toEqual([place, true, true]);
      }
      await ann.close();
      await leave(page);
    },
  );

  it.concurrent("needs no pointer", async () => {
    const room = newRoom("keys");
    const page = await visit();
    const { keyboard } = page;
    await page.getByLabel("Service token").waitFor();
    await keyboard.type(OPS);
    await keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
    await tabTo(page, "Skip to content");
    await tabTo(page, "Rooms");
    await keyboard.press("Enter");
    await tabTo(page, "New room");
    await keyboard.press("Enter");
    expect(await focused(page)).toBe("Room id");
    // However far one goes, what is behind the dialog is out of reach.
    for (let presses = 0; presses < 12; presses++) {
      await keyboard.press("Tab");
      expect(await page.evaluate<boolean>("document.activeElement.closest('.console') === null")).toBe(true);
    }
    await keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(await focused(page)).toBe("New room");
    await keyboard.press("Enter");
    await keyboard.type(room);
    await keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: room }).waitFor();
    await tabTo(page, "Message");
    await keyboard.type("by keys alone");
    await keyboard.press("Enter");
    await page.getByRole("log").getByText("by keys alone").waitFor();
    await tabTo(page, "Delete");
    await keyboard.press("Enter");
    await keyboard.type(room);
    await keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Rooms" }).waitFor();
    await leave(page);
  });

  it.concurrent("comes in without a token where the server asks for none, and says so", async () => {
    const consoleDir = join(ROOT, "web/dist/console");
    await using rpc = await startRoom({ consoleDir });
    const page = await visit(PHONE, rpc.url);
    await page.getByText("This server asks for no token: whoever reaches it is an operator.").waitFor();
    await page.getByText("No edge is alive, so nobody can connect.").waitFor();
    expect(await page.getByRole("button", { name: "Forget token" }).count()).toBe(0);
    // What breaks is said, and heals by itself.
    await page.route("**/GetStats", (route) => route.abort());
    await page.getByText(/^Not updated since .* The server cannot be reached\.$/).waitFor();
    await page.getByRole("link", { name: "Edges", exact: true }).click();
    await page.getByText(/^Not updated since .* The server cannot be reached\.$/).waitFor();
    await page.unroute("**/GetStats");
    await page.getByText("Live, every 2 s").waitFor();
    await page.context().close();
  });

  // Last, since nobody can connect after it.
  it("drains an edge", async () => {
    await talker.stop(); // else it is closed in the middle of a message
    const page = await open("Edges");
    const row = page.getByRole("row").filter({ hasText: EDGE });
    await row.getByRole("button", { name: "Drain" }).click();
    const ann = await guest("Ann", newRoom("drain"));
    await page.getByRole("dialog").getByRole("button", { name: "Drain" }).click();
    await ann.next("reconnect", ({ reason }) => reason === "draining");
    await row.getByText("Draining").waitFor();
    expect(await rpc().call("AdminService/ListEdges")).toMatchObject({ edges: [{ edge_id: EDGE, draining: true }] });
    await page.getByRole("navigation", { name: "Console" }).getByRole("link", { name: "Audit" }).click();
    await page.getByRole("row").filter({ hasText: "drain edge" }).getByText(EDGE).waitFor();
    await leave(page);
  });
});
