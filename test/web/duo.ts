import type { Locator, Page } from "playwright-core";

/** The browser itself complains when a server is not there. */
export const REFUSED = /ERR_CONNECTION_REFUSED|WebSocket connection to .* failed/;

/** The two sides of /duo. */
export function sides(page: Page): { readonly ann: Locator; readonly bob: Locator } {
  return { ann: page.getByRole("region", { name: "Ann" }), bob: page.getByRole("region", { name: "Bob" }) };
}

/** Writes a message on one side and waits for nothing. */
export async function say(side: Locator, text: string): Promise<void> {
  const composer = side.getByRole("textbox", { name: "Message", exact: true });
  await composer.fill(text);
  await composer.press("Enter");
}

/** Texts of the stored messages that a side shows, in order. */
export async function texts(side: Locator): Promise<string[]> {
  const rows = await side.getByRole("log").locator("[data-seq] p:last-child").allTextContents();
  return rows.map((text) => text.trim());
}
