import { setTimeout as delay } from "node:timers/promises";
import { AxeBuilder } from "@axe-core/playwright";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Complaints, openBrowser, openTab } from "../support/browser.ts";
import { TestClient } from "../support/client.ts";
import { newRoom } from "../support/crowd.ts";
import { PATIENCE_MS } from "../support/eventually.ts";
import { RpcClient } from "../support/rpc.ts";
import { singleProcess } from "../support/topology.ts";
import { PHONE } from "./visitor.ts";

const OPS = "a-secret-of-the-operators-of-32-bytes";
const VIEWER = "a-secret-of-those-who-look-32-bytes";
const DEALER = "a-secret-of-those-who-speak-32-bytes";
const EDGE = "edge-one";

/** Chromium says so of every such answer, whoever handles it. */
const REFUSED = /the server responded with a status of 40[013]/;

describe("the console", { timeout: 60_000 }, () => {
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
  afterEach(() => Promise.all(browser.contexts().map((context) => context.close())).then(() => undefined));
  afterAll(async () => {
    await talker.stop();
    await browser.close();
    await topology.stop();
  });

  async function visit(options: BrowserContextOptions = {}): Promise<Page & Complaints> {
    const page = await openTab(browser, `${topology.rpcs[0]}/admin`, options);
    page.setDefaultTimeout(PATIENCE_MS);
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

  function complaints(page: Complaints): readonly string[] {
    return page.complaints.filter((text) => !REFUSED.test(text));
  }

  function guest(username: string, room_id: string): Promise<TestClient> {
    return TestClient.connect(topology.edges[0] ?? "", { query: { username, room_id } });
  }

  it("lets in who has a token with the scope to look, and says why not to others", async () => {
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
    expect(complaints(page)).toEqual([]);
  });

  it("shows numbers that move, with charts, for all and for each edge", async () => {
    const page = await open("Overview");
    const tile = (name: string): Locator => page.getByRole("region", { name, exact: true });
    const number = async (name: string): Promise<number> => Number(await tile(name).locator(".tile-value").innerText());
    await tile("Connections").getByText("1 user", { exact: true }).waitFor();
    const ann = await guest("Ann", newRoom("numbers"));
    await tile("Connections").getByText("2 users", { exact: true }).waitFor();
    expect([await number("Connections"), await number("Rooms")]).toEqual([2, 2]);
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
    await ann.close();
    expect(complaints(page)).toEqual([]);
  });

  it("finds rooms, makes them, changes them, freezes and deletes them", async () => {
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
    expect(complaints(page)).toEqual([]);
  });

  it("follows a room live, reads back in its past, and says something as the service", async () => {
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
    expect(complaints(page)).toEqual([]);
  });

  it("finds a user's connections, disconnects and bans, takes tokens back, and the audit log has it all", async () => {
    const room = newRoom("clients");
    const [ann, bob] = [await guest("Ann", room), await guest("Bob", room)];
    await Promise.all([ann.next("room_joined"), bob.next("room_joined")]);
    const page = await open("Clients");
    const dialog = page.getByRole("dialog");
    const manage = async (name: string, act: string): Promise<void> => {
      await page.getByRole("button", { name: `Manage ${name}` }).click();
      await dialog.getByRole("button", { name: act, exact: true }).click();
    };
    await page.getByRole("searchbox").fill(bob.uid);
    await page.getByRole("button", { name: "Manage Ann" }).waitFor({ state: "detached" });
    await manage("Bob", "Ban from a room");
    await dialog.getByLabel("For how long").selectOption("1 hour");
    await dialog.getByLabel("Reason").fill("spam");
    await dialog.getByRole("button", { name: "Ban", exact: true }).click();
    await bob.next("room_left", ({ reason }) => reason === "banned");
    await dialog.waitFor({ state: "detached" });
    await manage("Bob", "Disconnect");
    await dialog.getByLabel("Reason").fill("go away");
    await dialog.getByRole("button", { name: "Disconnect", exact: true }).click();
    expect(await bob.closed).toMatchObject({ code: 4503, reason: "go away" });
    await page.getByText("No connection with the user id").waitFor();
    await page.getByLabel("Find by").selectOption("Room id");
    await page.getByRole("searchbox").fill(room);
    await page.getByRole("button", { name: "Manage Ann" }).waitFor();
    await page.getByRole("button", { name: "Revoke tokens" }).click();
    await dialog.getByLabel("All tokens of the user").fill("u-oscar");
    await dialog.getByRole("button", { name: "Revoke", exact: true }).click();
    await page.getByText("The tokens were taken back.").waitFor();
    await page.getByRole("navigation", { name: "Console" }).getByRole("link", { name: "Audit" }).click();
    await page.getByRole("row").filter({ hasText: "u-oscar" }).getByText("revoke tokens").waitFor();
    await page.getByRole("searchbox", { name: "Only about this user" }).fill(bob.uid);
    await page.getByRole("row").filter({ hasText: "u-oscar" }).waitFor({ state: "detached" });
    const acts = await page.getByRole("row").locator(".tag").allInnerTexts();
    expect(acts).toEqual(["disconnect", "ban"]);
    await ann.close();
    expect(complaints(page)).toEqual([]);
  });

  it("says which scope a token lacks, and shows all the same", async () => {
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
    expect(complaints(page)).toEqual([]);
  });

  it.each([
    ["on a desk", {}, ["rooms", "clients", "edges", "audit"]],
    ["on a phone", PHONE, []],
  ] as const satisfies readonly (readonly [string, BrowserContextOptions, readonly string[]])[])(
    "has nothing that axe finds, light or dark, %s",
    async (_, options, places) => {
      const room = newRoom("axe");
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
      expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBe(page.viewportSize()?.width);
      await ann.close();
      expect(complaints(page)).toEqual([]);
    },
  );

  it("needs no pointer", async () => {
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
    expect(complaints(page)).toEqual([]);
  });

  it("drains an edge", async () => {
    const page = await open("Edges");
    const row = page.getByRole("row").filter({ hasText: EDGE });
    await row.getByRole("button", { name: "Drain" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Drain" }).click();
    await row.getByText("Draining").waitFor();
    await page.getByRole("navigation", { name: "Console" }).getByRole("link", { name: "Audit" }).click();
    await page.getByRole("row").filter({ hasText: "drain edge" }).getByText(EDGE).waitFor();
    expect(complaints(page)).toEqual([]);
  });
});

/** Says something several times a second for as long as the tests run, so that there are numbers. */
class Talker {
  readonly #client: TestClient;
  readonly #talking: Promise<void>;
  readonly #ending = new AbortController();

  static async start(edge: string, room: string): Promise<Talker> {
    const client = await TestClient.connect(edge, { query: { username: "Talker", room_id: room } });
    await client.next("room_joined");
    return new Talker(client, room);
  }

  private constructor(client: TestClient, room: string) {
    this.#client = client;
    this.#talking = this.#talk(room);
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#talking;
    await this.#client.close();
  }

  async #talk(room: string): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted && this.#client.isOpen) {
      await this.#client.say(room, "and so on");
      await delay(200, undefined, { signal }).catch(() => undefined); // cut short when it is to end
    }
  }
}

/** Light, all rules; where wanted also dark, of which only colours can be found wanting. */
async function audit(page: Page, what: string, also?: "dark"): Promise<void> {
  for (const colorScheme of ["light", ...(also === undefined ? [] : [also])] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const axe = new AxeBuilder({ page }).options({ resultTypes: ["violations"] });
    if (colorScheme === "dark") axe.withRules(["color-contrast", "link-in-text-block"]);
    const { violations } = await axe.analyze();
    const findings = violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
    expect(findings, `${what}, ${colorScheme}`).toEqual([]);
  }
}

const FOCUSED = `(() => {
  const { activeElement: at } = document;
  const label = at?.labels?.[0]?.querySelector("span")?.textContent;
  return at?.getAttribute("aria-label") ?? label ?? at?.innerText ?? "";
})()`;

/** Name of what has the focus. */
async function focused(page: Page): Promise<string> {
  return (await page.evaluate<string>(FOCUSED)).trim();
}

/** Presses Tab until something of this name has the focus. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < 40; presses++) {
    if ((await focused(page)) === name) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab does not lead to ${name}; it leads to ${await focused(page)}`);
}
