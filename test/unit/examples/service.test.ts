import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { follow } from "../../../examples/service/follow.ts";
import { RoomService } from "../../../gen/baccarat/v1/room_service_pb.ts";
import { serviceRoutes } from "../../../services/room/rpc/routes.ts";
import { eventually } from "../../support/eventually.ts";
import { ProductProcess, ROOT } from "../../support/process.ts";
import { room, store } from "../services/room/replica.ts";
import { type RoomFixture, startRoom } from "../services/rpc/room-fixture.ts";
import { startRpc, TOKENS } from "../services/rpc/rpc-fixture.ts";

const EXAMPLES = join(ROOT, "examples");
const DEALER = TOKENS.find(({ name }) => name === "dealer")?.secret ?? "";

/** Texts in a room, oldest first. */
async function said(rpc: RoomFixture, id: string): Promise<string[]> {
  const { events } = await rpc.broker.history(room(id), { limit: 100 });
  return events.flatMap(({ event: { body } }) => (body.case === "message" ? [body.value.message] : []));
}

/** Runs a program that rolls dice in a room, and holds it to what it promises. */
async function rollsDice(command: readonly [string, ...string[]]): Promise<void> {
  await using rpc = await startRoom({ tokens: TOKENS });
  const env = { ROOM_SERVICE_URL: rpc.url, ROOM_SERVICE_TOKEN: DEALER };
  const service = new ProductProcess({ command, env });
  const state = () => ({ stdout: service.stdout, stderr: service.stderr });
  try {
    await eventually("the service to follow", () => rpc.controlPlane.watches.counts.hearing === 1, { state });
    await store(rpc.broker, "lobby", ["hello", "dice!", "!dice", "!dice"]);
    const texts = await eventually(
      "two answers",
      async () => {
        const texts = await said(rpc, "lobby");
        return texts.length >= 6 && texts;
      },
      { state },
    );
    expect(texts.slice(4)).toEqual([
      expect.stringMatching(/ rolls [1-6] of 6$/),
      expect.stringMatching(/ rolls [1-6] of 6$/),
    ]);
    expect(service.stderr).toBe("");
  } finally {
    await service.stop("SIGKILL");
  }
  await eventually("its stream to be over", () => rpc.controlPlane.watches.counts.open === 0);
}

describe("examples/service/dice.ts", () => {
  it("answers whoever asks for dice", () => rollsDice([process.execPath, join(EXAMPLES, "service/dice.ts"), "lobby"]));
});

describe("examples/service.py", () => {
  it("answers whoever asks for dice", async () => {
    await promisify(execFile)("python3", ["--version"]).catch(() => {
      throw new Error(
        "python3 (3.8 or newer) is needed to run this example: apt-get install python3, or brew install python3",
      );
    });
    expect((await readFile(join(EXAMPLES, "service.py"), "utf8")).split("\n").length - 1).toBeLessThanOrEqual(20);
    await rollsDice(["python3", "-u", join(EXAMPLES, "service.py"), "lobby"]);
  });
});

describe("follow", () => {
  const connect = (baseUrl: string): Client<typeof RoomService> =>
    createClient(RoomService, createConnectTransport({ baseUrl, httpVersion: "2" }));

  it("goes on where it was when the server comes back", async () => {
    await using rpc = await startRoom();
    const heard: number[] = [];
    const seqs = await store(rpc.broker, "lobby", ["before"]);
    const following = (async () => {
      for await (const { events } of follow(connect(rpc.url), "lobby")) {
        heard.push(...events.map(({ seq }) => Number(seq)));
        if (heard.length === 4) return;
      }
    })();
    const { watches } = rpc.controlPlane;
    await eventually("it to follow", () => watches.counts.hearing === 1);
    seqs.push(...(await store(rpc.broker, "lobby", ["one", "two"])));
    await eventually("it to hear", () => heard.length === 2);
    await rpc.close(1_000);
    seqs.push(...(await store(rpc.broker, "lobby", ["three", "four"])));
    await using again = await startRpc(serviceRoutes(rpc.controlPlane), { port: rpc.port });
    await following;
    expect(heard).toEqual(seqs.slice(1));
    await eventually("the stream to be over", () => watches.counts.open === 0);
    expect(again.calls.map(({ code }) => code)).toEqual(["canceled"]);
  });

  it("does not try again what cannot be mended", async () => {
    await using rpc = await startRoom();
    const after = { $typeName: "baccarat.v1.Position", epoch: "of another log", seq: 1n } as const;
    const error = await follow(connect(rpc.url), "lobby", after)
      .next()
      .then(() => undefined, ConnectError.from);
    expect(error).toMatchObject({ code: Code.FailedPrecondition });
  });
});
