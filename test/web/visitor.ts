import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { openBrowser, openTab } from "../support/browser.ts";
import { PATIENCE_MS } from "../support/eventually.ts";
import { singleProcess, type Topology } from "../support/topology.ts";

/** A phone, as the page sees it. */
export const PHONE: BrowserContextOptions = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

/** The product and a browser, for one file of tests. */
export class Stage {
  readonly topology: Topology;
  #browser: Browser | undefined;

  /** On a topology, or on one process with an environment. Its first edge serves the page. */
  constructor(where: Topology | Readonly<Record<string, string>> = {}) {
    this.topology = isTopology(where) ? where : singleProcess(where);
  }

  /** Starts both; call it in beforeAll. */
  async start(): Promise<void> {
    await this.topology.start();
    this.#browser = await openBrowser();
  }

  /** Closes every tab; call it in afterEach. What is open costs time. */
  async clear(): Promise<void> {
    await Promise.all(this.#browser?.contexts().map((context) => context.close()) ?? []);
  }

  /** Stops both; call it in afterAll. */
  async stop(): Promise<void> {
    await this.#browser?.close();
    await this.topology.stop();
  }

  /** Base URL of the page. */
  get home(): string {
    return this.topology.edges[0] ?? "";
  }

  /** Opens the page as somebody new. */
  async visit(options: BrowserContextOptions = {}, path = "/"): Promise<Visitor> {
    if (this.#browser === undefined) throw new Error("the stage was not started");
    return new Visitor(await openTab(this.#browser, `${this.home}${path}`, options));
  }

  /** Opens the page and goes into a room. */
  async enter(name: string, room: string, options: BrowserContextOptions = {}): Promise<Visitor> {
    const visitor = await this.visit(options);
    await visitor.enter(name, room);
    return visitor;
  }
}

function isTopology(where: Topology | Readonly<Record<string, string>>): where is Topology {
  return typeof where.start === "function";
}

/** Has a page, or one side of it, back at once. It may come back by itself while the button is being pressed. */
export async function reconnectNow(side: Page | Locator): Promise<void> {
  const back = side.getByText(/^Connection lost\./).waitFor({ state: "hidden" });
  await Promise.any([side.getByRole("button", { name: "Try now" }).click(), back]);
  await back;
}

/** Somebody in front of the page: what they see, in the words of the page, and what they do. */
export class Visitor {
  readonly page: Page;
  /** What the page complained about so far. */
  readonly complaints: readonly string[];

  constructor(page: Page & { readonly complaints: string[] }) {
    // Less than a test may take, so that it is the wait that fails and says what it awaited.
    page.setDefaultTimeout(PATIENCE_MS);
    this.page = page;
    this.complaints = page.complaints;
  }

  /** Where messages are. */
  get log(): Locator {
    return this.page.getByRole("log");
  }

  /** Where messages are written. */
  get composer(): Locator {
    return this.page.getByRole("textbox", { name: "Message", exact: true });
  }

  get members(): Locator {
    return this.page.getByRole("complementary", { name: "Members" });
  }

  /** The list of rooms and conversations. */
  get sidebar(): Locator {
    return this.page.getByRole("navigation", { name: "Rooms and conversations" });
  }

  /** A message that holds a text. */
  message(text: string): Locator {
    return this.log.getByRole("listitem").filter({ hasText: text });
  }

  /** Goes in through the first screen. */
  async enter(name: string, room: string): Promise<void> {
    await this.page.getByRole("textbox", { name: "Your name" }).fill(name);
    await this.page.getByRole("textbox", { name: "Room" }).fill(room);
    await this.page.getByRole("button", { name: "Enter", exact: true }).click();
    await this.inRoom(room);
  }

  /** Waits until a room is shown and joined. */
  async inRoom(room: string): Promise<void> {
    await this.page.getByRole("heading", { level: 1, name: room }).waitFor();
    await this.page.getByText(/^[\d,]+ members?$/).waitFor();
  }

  /** Joins another room by its name. */
  async join(room: string): Promise<void> {
    await this.page.getByRole("searchbox", { name: "Find or join a room" }).fill(room);
    await this.sidebar.getByRole("button", { name: `Join #${room}` }).click();
    await this.inRoom(room);
  }

  /** Shows a room or conversation that is on the list. */
  async show(name: string): Promise<void> {
    await this.sidebar.getByRole("button", { name }).click();
    await this.page.getByRole("heading", { level: 1, name }).waitFor();
  }

  /** Writes a message and waits until it is stored. */
  async say(text: string): Promise<void> {
    await this.type(text);
    await this.message(text).getByText("Stored").waitFor();
  }

  /** Writes a message and waits for nothing. */
  async type(text: string): Promise<void> {
    await this.composer.fill(text);
    await this.composer.press("Enter");
  }

  /** Waits until a message is there. */
  async sees(text: string): Promise<void> {
    await this.message(text).first().waitFor();
  }
}
