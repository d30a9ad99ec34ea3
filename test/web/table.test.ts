import { randomInt } from "node:crypto";
import { AxeBuilder } from "@axe-core/playwright";
import { createConnectTransport } from "@connectrpc/connect-node";
import type { Locator } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { runDealer } from "../../examples/dealer/dealer.ts";
import { Table, type TableEvent } from "../../examples/dealer/table.ts";
import { newRoom } from "../support/crowd.ts";
import { eventually } from "../support/eventually.ts";
import { RpcClient } from "../support/rpc.ts";
import { PHONE, Stage, type Visitor } from "./visitor.ts";

const PACE = { bettingMs: 2_000, cardMs: 60, resultMs: 900, shoeMs: 60 };
/** As the dealer has it: what whoever joins is given. */
const KEYS: Partial<Record<TableEvent["type"], string>> = { "table.shoe": "", "table.state": "table" };

describe("a room with a dealer", { timeout: 60_000 }, () => {
  const stage = new Stage();
  const rpc = () => new RpcClient(stage.topology.rpcs[0] ?? "");

  beforeAll(() => stage.start());
  afterEach(() => stage.clear());
  afterAll(() => stage.stop());

  it("is a table, on which a round is dealt while people talk", async () => {
    const room = newRoom("table");
    const ann = await stage.enter("Ann", room);
    expect(await table(ann).count()).toBe(0);
    const stop = new AbortController();
    const transport = createConnectTransport({ baseUrl: stage.topology.rpcs[0] ?? "", httpVersion: "2" });
    const random = (below: number): number => randomInt(below);
    const dealing = runDealer({ transport, room, random, pace: PACE, signal: stop.signal });
    const felt = table(ann);
    await felt.getByText("No money, no real betting").waitFor();
    await felt.getByText("Place your guess").waitFor();
    expect(Number(await felt.getByRole("timer").textContent())).toBeLessThanOrEqual(2);
    await felt.getByRole("button", { name: "Banker" }).click();
    await felt.getByText("You guessed Banker").waitFor();
    await felt.getByRole("img", { name: /^Player, \d points?: .+ of \w+$/ }).waitFor();
    await felt.getByText(/^\d to \d/).waitFor();
    await felt.getByRole("img", { name: /^Banker, \d points?: .+ of \w+, .+ of \w+$/ }).waitFor();
    await felt.getByRole("img", { name: /^Bead plate, \d rounds?: / }).waitFor();
    await felt
      .getByRole("status")
      .filter({ hasText: /wins|Tie/ })
      .waitFor();
    await ann.say("what a hand");
    await felt.getByRole("button", { name: "Banker", disabled: true }).waitFor();
    await felt.getByRole("heading", { name: /^Round [2-9]$/ }).waitFor();
    expect(await ann.log.getByText("table.").count()).toBe(0);
    stop.abort();
    await dealing;
    expect(ann.complaints).toEqual([]);
  });

  it("shows whoever comes late everything at once, however much was said since", async () => {
    const room = newRoom("late");
    const dealt = await dealHalfARound(room);
    const client = rpc();
    const say = (line: number) => client.call("RoomService/SendMessage", { room_id: room, message: `line ${line}` });
    await Promise.all(Array.from({ length: 60 }, (_, line) => say(line)));
    const ann = await stage.enter("Ann", room, PHONE);
    const felt = table(ann);
    await felt.getByRole("heading", { name: `Round ${dealt.rounds + 1}`, exact: true }).waitFor();
    await felt.getByText("Dealing").waitFor();
    await felt.getByRole("img", { name: dealt.player }).waitFor();
    await felt.getByRole("img", { name: new RegExp(`^Bead plate, ${dealt.rounds} rounds`) }).waitFor();
    await ann.sees("line");

    await audit(ann, "a table on a phone");
    expect(await ann.page.evaluate<number>("document.documentElement.scrollWidth")).toBe(390);
    for (const road of ["Bead plate", "Big road"]) {
      const scroller = felt.getByRole("group", { name: road });
      await eventually(`the end of the ${road}`, () =>
        scroller.evaluate((element) => element.scrollLeft + element.clientWidth >= element.scrollWidth - 1),
      );
    }
    // It can be put away by keys alone, and says in its line what goes on meanwhile.
    const hide = felt.getByRole("button", { name: "Hide the table" });
    await hide.focus();
    await ann.page.keyboard.press("Enter");
    await felt.getByRole("img", { name: dealt.player }).waitFor({ state: "hidden" });
    await felt.getByText("Dealing").filter({ visible: true }).waitFor();
    await publish(room, dealt.table.dealCard());
    await felt.getByRole("button", { name: "Show the table" }).press("Enter");
    await felt.getByRole("img", { name: dealt.player }).waitFor();

    const bob = await stage.enter("Bob", room);
    await table(bob).getByRole("img", { name: dealt.player }).waitFor();
    expect([...ann.complaints, ...bob.complaints]).toEqual([]);
  });

  it("counts down by the server's clock, whatever the device's says", async () => {
    const room = newRoom("clock");
    const dealt = new Table({ random: (below) => randomInt(below) });
    for (const event of [dealt.changeShoe(), dealt.state(), dealt.openRound(0, 40_000)]) await publish(room, event);
    const ann = await stage.visit();
    await ann.page.clock.setSystemTime(Date.now() + 3_600_000);
    await ann.enter("Ann", room);
    const timer = table(ann).getByRole("timer");
    await timer.waitFor();
    const seconds = Number(await timer.textContent());
    expect(seconds).toBeGreaterThan(20);
    expect(seconds).toBeLessThanOrEqual(40);
    expect(ann.complaints).toEqual([]);
  });

  async function publish(room: string, event: TableEvent | undefined): Promise<void> {
    if (event === undefined) throw new Error("nothing more to deal");
    const { type, data } = event;
    const key = { snapshot_key: KEYS[type] ?? "round" };
    await rpc().call("RoomService/PublishEvent", { room_id: room, type, data, ...key });
  }

  /** Twenty rounds and two cards. */
  async function dealHalfARound(room: string): Promise<{ table: Table; rounds: number; player: RegExp }> {
    const table = new Table({ random: (below) => randomInt(below) });
    const rounds = 20;
    table.changeShoe();
    for (let round = 1; round <= rounds; round++) {
      table.openRound(0, 1);
      table.closeRound();
      while (table.dealCard() !== undefined);
      table.settle();
    }
    await publish(room, table.state());
    await publish(room, table.openRound(0, 1));
    await publish(room, table.closeRound());
    await publish(room, table.dealCard());
    return { table, rounds, player: /^Player, \d points?: [^,]+ of \w+$/ };
  }
});

function table({ page }: Visitor): Locator {
  return page.getByRole("region", { name: "Baccarat table" });
}

async function audit({ page }: Visitor, what: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    // The rest of the page is audited without a table.
    const axe = new AxeBuilder({ page }).include(".table");
    // The same elements in other colours: only these can be found wanting.
    if (colorScheme === "dark") axe.withRules(["color-contrast", "link-in-text-block"]);
    const { violations } = await axe.analyze();
    const findings = violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
    expect(findings, `${what}, ${colorScheme}`).toEqual([]);
  }
}
