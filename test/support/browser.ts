import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { getChromium } from "../../scripts/get-chromium.ts";

/** What a page complained about: uncaught errors, error lines of the console, violations of its content policy. */
export interface Complaints {
  readonly complaints: string[];
}

const REPORT_VIOLATIONS = `document.addEventListener("securitypolicyviolation", (event) =>
  complain("content policy: " + event.violatedDirective + " " + event.blockedURI));`;

/** Starts the Chromium of this machine; nothing it does leaves the machine. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: getChromium(),
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** Opens a tab with storage of its own, and collects what goes wrong in it. `options`: its screen, theme and so on. */
export async function openTab(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Page & Complaints> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(`uncaught ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  await page.exposeFunction("complain", (text: string) => complaints.push(text));
  await page.addInitScript({ content: REPORT_VIOLATIONS });
  await page.goto(url);
  return Object.assign(page, { complaints });
}
