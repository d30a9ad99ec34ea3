import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBrowser, openTab } from "../support/browser.ts";
import { newRoom } from "../support/crowd.ts";
import { singleProcess } from "../support/topology.ts";

describe("the page", { timeout: 60_000 }, () => {
  const topology = singleProcess();
  let browser: Browser | undefined;
  const home = () => topology.edges[0] ?? "";
  const tab = () => {
    if (browser === undefined) throw new Error("the browser did not start");
    return openTab(browser, home());
  };

  beforeAll(async () => {
    await topology.start();
    browser = await openBrowser();
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await topology.stop();
  });

  it("lets two people talk, and shows who is there", async () => {
    const room = newRoom("page");
    const [ann, bob] = [await tab(), await tab()];
    await enter(ann, room, "Ann");
    await enter(bob, room, "Bob");
    await say(ann, "hello Bob");
    await say(bob, "hello Ann");
    for (const page of [ann, bob]) {
      const log = page.getByRole("log");
      await log.getByText("hello Bob").waitFor();
      await log.getByText("hello Ann").waitFor();
      const members = page.getByRole("complementary", { name: "Members" });
      for (const name of ["Ann", "Bob"]) await members.getByText(name, { exact: true }).waitFor();
      await members.getByText("2 here").waitFor();
    }
    await bob.close();
    await ann.getByRole("complementary", { name: "Members" }).getByText("1 here").waitFor();
    expect([...ann.complaints, ...bob.complaints]).toEqual([]);
  });

  it("shows what people write as text, never as markup", async () => {
    const room = newRoom("markup");
    const markup = '<img src="x" onerror="complain(`a script ran`)"><b>bold</b>';
    const [ann, bob] = [await tab(), await tab()];
    await enter(ann, room, "<i>Ann</i>");
    await enter(bob, room, "Bob");
    await say(ann, markup);
    const log = bob.getByRole("log");
    await log.getByText(markup).waitFor();
    await bob.getByRole("complementary", { name: "Members" }).getByText("<i>Ann</i>", { exact: true }).waitFor();
    expect(await log.locator("img, b, i, script").count()).toBe(0);
    expect(await log.getByText(markup).locator("*").count()).toBe(0);
    expect([...ann.complaints, ...bob.complaints]).toEqual([]);
  });

  it("has the history and the same name after a reload", async () => {
    const room = newRoom("reload");
    const ann = await tab();
    await enter(ann, room, "Ann");
    for (const text of ["one", "two", "three"]) await say(ann, text);
    await ann.getByRole("log").getByText("three").waitFor();
    await ann.reload();
    const log = ann.getByRole("log");
    await log.getByText("three", { exact: true }).waitFor();
    for (const text of ["one", "two", "three"]) expect(await log.getByText(text, { exact: true }).count()).toBe(1);
    await ann.getByRole("complementary", { name: "Members" }).getByText("Ann", { exact: true }).waitFor();
    expect(ann.complaints).toEqual([]);
  });

  it("comes with headers that keep scripts, frames and guesses of others out", async () => {
    const response = await fetch(home());
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain("unsafe");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(await response.text()).not.toMatch(/<script>|<style>| on\w+=| style=/);
    for (const path of ["/nothing", "/../package.json", "/%2e%2e/package.json", "//etc/passwd", "/.env"]) {
      expect([400, 404], path).toContain((await fetch(`${home()}${path}`)).status);
    }
  });
});

async function enter(page: Page, room: string, name: string): Promise<void> {
  await page.getByRole("textbox", { name: "Room" }).fill(room);
  await page.getByRole("textbox", { name: "Your name" }).fill(name);
  await page.getByRole("button", { name: "Enter" }).click();
  await page.getByRole("heading", { name: room }).waitFor();
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByRole("textbox", { name: "Message" }).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}
