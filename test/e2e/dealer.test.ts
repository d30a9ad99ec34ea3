import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Pace, runDealer } from "../../examples/dealer/dealer.ts";
import { type Cards, NO_CARDS, nextHand, resultOf, withCard } from "../../examples/dealer/rules.ts";
import type { TableEvents, TableState } from "../../examples/dealer/table.ts";
import { TestClient } from "../support/client.ts";
import { newRoom } from "../support/crowd.ts";
import { eventually } from "../support/eventually.ts";
import { ProductProcess, ROOT } from "../support/process.ts";
import { RpcClient } from "../support/rpc.ts";
import { singleProcess } from "../support/topology.ts";

const PACE: Pace = { bettingMs: 60, cardMs: 10, resultMs: 30, shoeMs: 10 };
const topology = singleProcess();
beforeAll(() => topology.start());
afterAll(() => topology.stop());

/** A dealer that deals while the test lasts. */
class Dealing implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(room: string, pace: Partial<Pace> = {}) {
    const transport = createConnectTransport({ baseUrl: topology.rpcs[0] ?? "", httpVersion: "2" });
    const random = (below: number): number => randomInt(below);
    this.#done = runDealer({ transport, room, random, pace: { ...PACE, ...pace }, signal: this.#stop.signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}

interface TableFrame<T extends keyof TableEvents = keyof TableEvents> {
  readonly type: T;
  readonly payload: { readonly room_id: string; readonly seq: number; readonly data: TableEvents[T] };
}

function tableFrames(client: TestClient): TableFrame[] {
  return client.frames.filter((frame) => frame.type.startsWith("table.")) as unknown as TableFrame[];
}

function is<T extends keyof TableEvents>(frame: TableFrame | undefined, type: T): frame is TableFrame<T> {
  return frame?.type === type;
}

async function watch(room: string): Promise<TestClient> {
  const client = await TestClient.connect(topology.edges[0] ?? "");
  await client.request("join_room", { room_id: room });
  return client;
}

/** Frames from the first of one type after `from` up to the first of another. */
async function stretch(
  client: TestClient,
  first: keyof TableEvents,
  last: keyof TableEvents,
  from = 0,
): Promise<readonly TableFrame[]> {
  return await eventually(`frames from ${first} to ${last}`, () => {
    const frames = tableFrames(client).slice(from);
    const begin = frames.findIndex((frame) => frame.type === first);
    const end = frames.findIndex((frame, index) => index > begin && frame.type === last);
    return begin >= 0 && end >= 0 ? frames.slice(begin, end + 1) : undefined;
  });
}

describe("the dealer", () => {
  it("shows a client in the room a whole round in order, dealt by the rules", async () => {
    const room = newRoom("table");
    const client = await watch(room);
    await using _dealing = new Dealing(room);
    const frames = await stretch(client, "table.shoe", "table.result");
    expect(frames.map((frame) => frame.payload.seq)).toEqual(
      frames.map((frame) => frame.payload.seq).toSorted((a, b) => a - b),
    );
    const types = frames.map((frame) => frame.type);
    const cards = types.filter((type) => type === "table.card").length;
    expect(cards).toBeGreaterThanOrEqual(4);
    expect(types).toEqual([
      "table.shoe",
      "table.state",
      "table.round_opened",
      "table.round_closed",
      ...Array.from({ length: cards }, () => "table.card"),
      "table.result",
    ]);

    let dealt: Cards = NO_CARDS;
    for (const frame of frames) {
      if (!is(frame, "table.card")) continue;
      const { hand, card, index, player, banker } = frame.payload.data;
      expect(hand).toBe(nextHand(dealt));
      expect(index).toBe(dealt[hand].length);
      dealt = withCard(dealt, hand, card);
      expect({ player: player.cards, banker: banker.cards }).toEqual(dealt);
    }
    expect(nextHand(dealt)).toBeUndefined();
    const last = frames.at(-1);
    if (!is(last, "table.result")) throw new Error("the last event is no result");
    const { winner, playerTotal, bankerTotal } = resultOf(dealt);
    expect(last.payload.data).toMatchObject({
      shoe: 1,
      round: 1,
      winner,
      player: { cards: dealt.player, total: playerTotal },
      banker: { cards: dealt.banker, total: bankerTotal },
    });
    await client.close();
  });

  it("gives whoever comes late the state, and from there on everything", async () => {
    const room = newRoom("late");
    const early = await watch(room);
    await using _dealing = new Dealing(room);
    await eventually("two results", () => tableFrames(early).filter((frame) => is(frame, "table.result")).length >= 2);

    const late = await TestClient.connect(topology.edges[0] ?? "");
    const joined = await late.request("join_room", { room_id: room, history: 12 });
    const past = joined.events as unknown as readonly TableFrame[];
    const state = past.findLast((event) => event.type === "table.state")?.payload.data as TableState;
    expect(state.shoe).toBe(1);
    expect(state.bead_plate.length).toBeGreaterThanOrEqual(2);
    expect(state.counts.player + state.counts.banker + state.counts.tie).toBe(state.bead_plate.length);

    const [next] = await stretch(late, "table.result", "table.state");
    if (!is(next, "table.result")) throw new Error("no result");
    const after = await eventually("the state after it", () =>
      tableFrames(late)
        .filter((frame) => is(frame, "table.state"))
        .find(({ payload }) => payload.seq > next.payload.seq),
    );
    const { bead_plate, result } = after.payload.data as TableState;
    expect(result).toEqual(next.payload.data);
    expect(bead_plate.slice(0, state.bead_plate.length)).toEqual(state.bead_plate);
    expect(bead_plate.length).toBe(after.payload.data.round);
    await Promise.all([early.close(), late.close()]);
  });

  it("goes on after a restart with a new shoe, and says which round is void", async () => {
    const room = newRoom("restart");
    const client = await watch(room);
    {
      await using _first = new Dealing(room, { bettingMs: 60_000 });
      await eventually("a round to open", () => tableFrames(client).some((frame) => is(frame, "table.round_opened")));
    }
    const before = tableFrames(client).length;
    await using _second = new Dealing(room);
    const [shoe] = await stretch(client, "table.shoe", "table.round_opened", before);
    expect(shoe?.payload.data).toMatchObject({ shoe: 2, void_round: 1 });
    await client.close();
  });

  it("names the room, and stops dealing when the room is deleted", async () => {
    const room = newRoom("deleted");
    const rpc = new RpcClient(topology.rpcs[0] ?? "");
    const stop = new AbortController();
    const transport = createConnectTransport({ baseUrl: topology.rpcs[0] ?? "", httpVersion: "2" });
    const dealing = runDealer({
      transport,
      room,
      random: (below) => randomInt(below),
      pace: PACE,
      signal: stop.signal,
    });
    const ended = expect(dealing).rejects.toThrow("room");
    await eventually("the room to have a title", async () => {
      const { room: stored } = await rpc.call<{ room: { title: string } }>("RoomService/GetRoom", { room_id: room });
      return stored.title.includes("Baccarat");
    });
    await rpc.call("RoomService/DeleteRoom", { room_id: room });
    await ended;
    stop.abort();
  });

  it("is a program of its own, which ends at SIGTERM", async () => {
    const room = newRoom("program");
    const client = await watch(room);
    const entry = join(ROOT, "examples/dealer/main.ts");
    const program = new ProductProcess({
      command: [process.execPath, "--disable-warning=ExperimentalWarning", entry],
      args: ["--room", room, "--url", topology.rpcs[0] ?? "", "--betting-ms", "50", "--card-ms", "5", "--shoe-ms", "5"],
    });
    await stretch(client, "table.round_opened", "table.result");
    expect(await program.stop()).toEqual({ code: 0, signal: null });
    expect(program.stderr).toBe("");
    await client.close();
  });
});

describe("npm start -- --demo", () => {
  it("deals in room table-1, and ends as it does without", async () => {
    const directory = await mkdtemp(join(tmpdir(), "baccarat-demo-"));
    const product = await ProductProcess.start({ args: ["--demo"], env: { DATA_DIR: directory } });
    const client = await TestClient.connect(product.addresses.edge ?? "");
    const joined = await client.request("join_room", { room_id: "table-1", history: 10 });
    const seen = (): readonly { readonly type: string }[] => [...joined.events, ...client.frames];
    await eventually("a shoe and its state", () =>
      ["table.shoe", "table.state"].every((type) => seen().some((event) => event.type === type)),
    );
    await client.close();
    const page = await fetch(product.addresses.edge ?? "");
    expect(await page.text()).toContain('<meta name="featured-room" content="table-1"');
    expect(await product.stop()).toEqual({ code: 0, signal: null });
    expect(product.complaints()).toEqual([]);
    await rm(directory, { recursive: true, force: true });
  });
});
