import { setTimeout as delay } from "node:timers/promises";
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { TestClient } from "../support/client.ts";
import { PATIENCE_MS } from "../support/eventually.ts";

const TALK_MS = 3 * PATIENCE_MS;

/** Says something several times a second for as long as the tests run, so that there are numbers. */
export class Talker {
  readonly #client: TestClient;
  readonly #talking: Promise<void>;
  readonly #ending = new AbortController();

  /** Connects and begins. */
  static async start(edge: string, room: string): Promise<Talker> {
    const client = await TestClient.connect(edge, { query: { username: "Talker", room_id: room } });
    await client.next("room_joined");
    return new Talker(client, room);
  }

  private constructor(client: TestClient, room: string) {
    this.#client = client;
    this.#talking = this.#talk(room);
    this.#talking.catch(() => undefined); // stop() throws it; until then nobody listens
  }

  /** Ends with the last message stored. */
  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#talking;
    await this.#client.close();
  }

  async #talk(room: string): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted && this.#client.isOpen) {
      // A browser that starts for the first time reads so much that the disk is late with everything else.
      await this.#client.request("send_message", { room_id: room, message: "and so on" }, { withinMs: TALK_MS });
      await delay(200, undefined, { signal }).catch(() => undefined); // cut short when it is to end
    }
  }
}

/** Light, all rules; where wanted also dark, of which only colours can be found wanting. */
export async function audit(page: Page, what: string, also?: "dark"): Promise<void> {
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
export async function focused(page: Page): Promise<string> {
  return (await page.evaluate<string>(FOCUSED)).trim();
}

/** Presses Tab until something of this name has the focus. */
export async function tabTo(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < 40; presses++) {
    if ((await focused(page)) === name) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab does not lead to ${name}; it leads to ${await focused(page)}`);
}
