import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { TestClient } from "../support/client.ts";
import { ProductProcess } from "../support/process.ts";
import { RpcClient } from "../support/rpc.ts";
import { JWT_ENV, token } from "../support/tokens.ts";

const RPC_SECRET = "a-secret-of-the-rpc-api-that-nobody-may-see";

describe("the log of a process, at its most talkative", () => {
  it("has no token, no secret, no query and no message in it", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "baccarat-log-"));
    const RPC_TOKENS = `ops:admin:${RPC_SECRET}`;
    const env = { ...JWT_ENV, RPC_TOKENS, DATA_DIR: dataDir, LOG_LEVEL: "trace" };
    const product = await ProductProcess.start({ env });
    const { edge = "", rpc = "" } = product.addresses;
    const good = await token({ sub: "ann" });
    const bad = `${await token({ sub: "eve" })}x`;

    const ann = await TestClient.connect(edge, {
      protocols: ["baccarat.v1.json", `bearer.${good}`],
      query: { room_id: "", username: "name-in-the-query" },
    });
    await ann.next("welcome");
    await ann.request("join_room", { room_id: "lobby" });
    await ann.say("lobby", "words for the room only");
    await ann.refused("login", { token: bad });
    ann.sendText("words that are no frame");
    await ann.next("error", ({ code }) => code === "bad_frame");
    const eve = await TestClient.connect(edge, { headers: { authorization: `Bearer ${bad}` } });
    expect((await eve.closing()).code).toBe(4501);
    await fetch(`${edge}/ws?token=${good}`);
    await new RpcClient(rpc, RPC_SECRET).call("RoomService/SendMessage", { room_id: "lobby", message: "by a service" });
    await new RpcClient(rpc, "a-wrong-secret").call("RoomService/GetRoom", { room_id: "lobby" }).catch(() => undefined);
    await fetch(`${rpc}/baccarat.v1.RoomService/GetRoom?token=${RPC_SECRET}`);
    await ann.close();
    expect(await product.stop()).toMatchObject({ code: 0 });
    await rm(dataDir, { recursive: true });

    const said = product.stdout + product.stderr;
    const life = ["edge attached", "connection opened", "client known", "room joined", "connection closed"];
    expect(product.logLines().map(({ msg }) => msg)).toEqual(expect.arrayContaining(life));
    expect(product.logLines().find(({ msg }) => msg === "client known")).toMatchObject({ level: "debug", uid: "ann" });
    const [, , signature = ""] = good.split(".");
    const secrets = [good, bad, signature, RPC_SECRET, JWT_ENV.JWT_SECRET, "a-wrong-secret", "name-in-the-query"];
    const words = ["words for the room only", "words that are no frame", "by a service"];
    for (const secret of [...secrets, ...words]) expect(said).not.toContain(secret);
  });
});
