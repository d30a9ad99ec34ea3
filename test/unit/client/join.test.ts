import { describe, expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { joined, message, refusal, reply } from "../../support/scripted-edge.ts";
import { heardIn, useScriptedEdge } from "./scripted.ts";

const bench = useScriptedEdge();

describe("a first join", () => {
  it.each(["unavailable", "rate_limited"])(
    "answered %s is tried again after as long as the server says",
    async (code) => {
      const joining = bench.connect().join("lobby", { history: 5 });
      const visit = await bench.edge.welcomed();
      visit.push(refusal(await visit.next("join_room"), code, true, 20));
      const again = await visit.next("join_room");
      expect(again.payload).toEqual({ room_id: "lobby", history: 5 });
      visit.push(joined(again, 7, { events: [message("lobby", 7, 0)] }));
      const { room, events } = await joining;
      expect(events.map(({ seq }) => seq)).toEqual([7]);
      expect(room.position).toEqual({ epoch: "e1", seq: 7 });
    },
  );

  it("that is not answered is tried again", async () => {
    const joining = bench.connect({ requestTimeoutMs: 500 }).join("lobby");
    const visit = await bench.edge.welcomed();
    await visit.next("join_room");
    visit.push(joined(await visit.next("join_room"), 7));
    expect((await joining).room.position?.seq).toBe(7);
  });

  it("whose connection breaks is asked for on the next one", async () => {
    const joining = bench.connect().join("lobby");
    const first = await bench.edge.welcomed();
    await first.next("join_room");
    first.drop();
    const second = await bench.edge.welcomed();
    second.push(joined(await second.next("join_room"), 7));
    expect((await joining).room.position?.seq).toBe(7);
    expect(second.untaken).toEqual([]);
  });

  it.each(["room_full", "banned"])("answered %s fails, and leaves nothing behind", async (code) => {
    const client = bench.connect();
    const failing = expect(client.join("lobby")).rejects.toMatchObject({ code });
    const visit = await bench.edge.welcomed();
    visit.push(refusal(await visit.next("join_room"), code, code === "room_full"));
    await failing;
    const joining = client.join("lobby");
    visit.push(joined(await visit.next("join_room"), 7));
    expect((await joining).room.position?.seq).toBe(7);
  });

  it("fails with `closed` when the client is closed meanwhile", async () => {
    const client = bench.connect();
    const failing = expect(client.join("lobby")).rejects.toMatchObject({ code: "closed" });
    const visit = await bench.edge.welcomed();
    await visit.next("join_room");
    client.close();
    await failing;
    await expect(client.join("lobby")).rejects.toMatchObject({ code: "closed" });
  });

  it("asked for twice is one join, and both wait for it", async () => {
    const client = bench.connect();
    const both = Promise.all([client.join("lobby"), client.join("lobby")]);
    const visit = await bench.edge.welcomed();
    visit.push(joined(await visit.next("join_room"), 7));
    const [one, other] = await both;
    expect(one.room).toBe(other.room);
    expect(one.room.joined).toBe(true);
    expect(visit.untaken).toEqual([]);
  });

  it("whose answer has an event right behind it misses nothing", async () => {
    const joining = bench.connect().join("lobby");
    const visit = await bench.edge.welcomed();
    visit.push(joined(await visit.next("join_room"), 7), message("lobby", 8, 7));
    const heard = heardIn((await joining).room);
    const again = await visit.next("join_room");
    expect(again.payload.since).toEqual({ epoch: "e1", seq: 7 });
    visit.push(joined(again, 8, { recovered: true, events: [message("lobby", 8, 7)] }), message("lobby", 9, 8));
    // Again something right behind the answer, and again it is asked for.
    const last = await visit.next("join_room");
    expect(last.payload.since).toEqual({ epoch: "e1", seq: 8 });
    visit.push(joined(last, 9, { recovered: true, events: [message("lobby", 9, 8)] }));
    await eventually("the events", () => heard.length === 2);
    expect(heard).toEqual([8, 9]);
  });
});

describe("a join after a reconnect", () => {
  it.each(["unavailable", "room_full"])("answered %s is tried again, and misses nothing", async (code) => {
    const joining = bench.connect().join("lobby");
    const first = await bench.edge.welcomed();
    first.push(joined(await first.next("join_room"), 7));
    const { room } = await joining;
    const heard = heardIn(room);
    first.drop();
    const sending = room.send("written meanwhile");
    const second = await bench.edge.welcomed();
    second.push(refusal(await second.next("join_room"), code, true, 20));
    const again = await second.next("join_room");
    expect(again.payload.since).toEqual({ epoch: "e1", seq: 7 });
    second.push(joined(again, 8, { recovered: true, events: [message("lobby", 8, 7)] }));
    const sent = await second.next("send_message");
    second.push(reply(sent, "ack", { room_id: "lobby", message_id: "e1-9", seq: 9, sent: "", duplicate: false }));
    expect((await sending).seq).toBe(9);
    expect(heard).toEqual([8]);
  });

  it("refused for good is told as `left`, and what waits to be sent fails", async () => {
    const joining = bench.connect().join("lobby");
    const first = await bench.edge.welcomed();
    first.push(joined(await first.next("join_room"), 7));
    const { room } = await joining;
    const heard = heardIn(room);
    first.drop();
    const failing = expect(room.send("written meanwhile")).rejects.toMatchObject({ code: "closed" });
    const second = await bench.edge.welcomed();
    second.push(refusal(await second.next("join_room"), "banned", false));
    await failing;
    expect(heard).toEqual(["left banned"]);
    expect(second.untaken).toEqual([]);
  });
});
