import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openBrowser, openTab } from "../support/browser.ts";
import { TestClient } from "../support/client.ts";
import { ROOT } from "../support/process.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { singleProcess, type Topology } from "../support/topology.ts";

const html = readFileSync(join(ROOT, "examples/chat.html"), "utf8");
const site = createServer((_, response) => response.writeHead(200, { "content-type": "text/html" }).end(html));
let topology: Topology;
let browser: Browser;
let proxy: TcpProxy;
let origin: string;

beforeAll(async () => {
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  topology = singleProcess({ ALLOWED_ORIGINS: origin });
  await topology.start();
  proxy = await TcpProxy.start(Number(new URL(topology.edges[0] ?? "").port));
  browser = await openBrowser();
}, 30_000);
afterAll(async () => {
  await browser.close();
  await proxy.close();
  await topology.stop();
  site.close();
});

it("examples/chat.html talks, and recovers what it missed while it was cut off", async () => {
  const page = await openTab(browser, `${origin}/?url=ws://127.0.0.1:${proxy.port}/ws`);
  const other = await TestClient.connect(topology.edges[0] ?? "", { query: { room_id: "general" } });
  await other.next("room_joined");
  await expect.poll(async () => (await other.request("get_members", { room_id: "general" })).count).toBe(2);
  await page.getByLabel("Message").fill("hello");
  await page.getByRole("button", { name: "Send" }).click();
  await other.next("new_message", (payload) => payload.message === "hello");
  await page.getByText(": hello").waitFor();
  proxy.refuse();
  for (const text of ["one", "two"]) await other.say("general", text);
  proxy.heal();
  await page.getByText(": two").waitFor();
  const lines = (await page.locator("li").allTextContents()).map((line) => line.split(": ")[1]);
  expect(lines).toEqual(["hello", "one", "two"]);
  await other.close();
});
