import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Edge } from "../../../edge/edge.ts";
import { TestClient } from "../../support/client.ts";
import { InProcess } from "./in-process.ts";

let product: InProcess;
let edge: Edge;

beforeAll(async () => {
  product = await InProcess.start();
  edge = await product.edge();
});
afterAll(async () => {
  await product[Symbol.asyncDispose]();
});

describe("an edge", () => {
  it("lets a client speak in the default room with no other step", async () => {
    const client = await TestClient.connect(edge.url, { query: {} });
    client.send("send_message", { message: "sdfsdf", from: "percy" });
    const { payload } = await client.next("new_message");
    expect(payload).toMatchObject({ room_id: "general", message: "sdfsdf", from: "percy", uid: client.uid });
    expect(client.frames.map((frame) => frame.type)).toEqual(["welcome", "room_joined", "new_message"]);
    await client.close();
  });

  it("acknowledges what is stored", async () => {
    const client = await product.client(edge);
    await client.request("join_room", { room_id: "table-1" });
    const ack = await client.say("table-1", "hello");
    const { payload } = await client.next("new_message");
    expect(payload.seq).toBe(ack.seq);
    expect(ack).toMatchObject({ room_id: "table-1", duplicate: false, message_id: payload.message_id });
  });
});
