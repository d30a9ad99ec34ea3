import { describe, expect, it } from "vitest";
import { Crowd, newRoom } from "../../support/crowd.ts";
import { eventually } from "../../support/eventually.ts";
import { RawSocket } from "../../support/raw-socket.ts";
import { RpcClient } from "../../support/rpc.ts";
import type { Topology } from "../../support/topology.ts";

interface ClientJson {
  readonly client_id: string;
  readonly uid: string;
  readonly username?: string;
  readonly room_id?: string;
  readonly room_ids?: readonly string[];
  readonly remote_addr: string;
  readonly edge_id: string;
}

interface EdgeJson {
  readonly traffic?: { readonly deliveries_per_second: number };
}

interface ClientsPage {
  readonly clients?: readonly ClientJson[];
  readonly next_page_token?: string;
}

/** What operators see and do. */
export function rpcAdmin(topology: Topology): void {
  const rpc = () => new RpcClient(topology.rpcs[0] ?? "");

  describe("administration over RPC", { concurrent: true }, () => {
    it("lists clients by user, room and edge, page by page", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("clients");
      const clients = await crowd.joinMany(3, room_id, (index) => ({
        query: { room_id: "", username: `user ${index}` },
      }));
      const listed: ClientJson[] = [];
      let page_token = "";
      do {
        const page = await rpc().call<ClientsPage>("AdminService/ListClients", { room_id, page_size: 2, page_token });
        listed.push(...(page.clients ?? []));
        page_token = page.next_page_token ?? "";
      } while (page_token !== "");
      expect(listed.map((client) => client.client_id)).toEqual(
        clients.map((client) => client.welcome.client_id).sort(),
      );
      const [ann] = clients;
      const { clients: ofAnn } = await rpc().call<ClientsPage>("AdminService/ListClients", { uid: ann?.uid });
      expect(ofAnn).toMatchObject([
        {
          client_id: ann?.welcome.client_id,
          uid: ann?.uid,
          username: "user 0",
          room_id,
          room_ids: [room_id],
          edge_id: ann?.welcome.edge_id,
          remote_addr: expect.stringContaining("127.0.0.1"),
        },
      ]);
    });

    it("tells at every replica how much is stored and what each edge does", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("numbers");
      const client = await crowd.join(room_id);
      for (let line = 0; line < 20; line++) await client.say(room_id, "and so on");
      // All at once: after 5 s it is forgotten.
      const replicas = topology.rpcs.map((url) => new RpcClient(url));
      const tells = async (replica: RpcClient): Promise<void> => {
        await eventually("the rate of what is stored", async () => {
          const { events_per_second } = await replica.call<{ events_per_second: number }>("AdminService/GetStats");
          return events_per_second > 0;
        });
        // Every edge says so when it has run for some seconds.
        await eventually("what each edge does", async () => {
          const { edges } = await replica.call<{ edges: readonly EdgeJson[] }>("AdminService/ListEdges");
          return edges.length > 0 && edges.every(({ traffic }) => traffic !== undefined);
        });
      };
      await Promise.all(replicas.map(tells));
    });

    it("deletes what a user wrote, everywhere, page by page, and members hear of it", async () => {
      await using crowd = new Crowd(topology);
      const rooms = [newRoom("erase"), newRoom("erase")] as const;
      const [eve, bob] = [await crowd.join(rooms[0]), await crowd.join(rooms[0])];
      for (const client of [eve, bob]) await client.request("join_room", { room_id: rooms[1] });
      const words: number[] = [];
      for (const room of rooms) for (const text of ["one", "two"]) words.push((await eve.say(room, text)).seq);
      const kept = await bob.say(rooms[0], "mine");
      let deleted = 0;
      let page_token = "";
      do {
        const page = await rpc().call<{ deleted: number; next_page_token: string }>("AdminService/DeleteUserMessages", {
          uid: eve.uid,
          page_size: 3,
          page_token,
        });
        deleted += page.deleted;
        page_token = page.next_page_token;
      } while (page_token !== "");
      expect(deleted).toBe(4);
      const told: number[] = [];
      for (const _ of words) told.push((await bob.next("message_deleted")).payload.deleted_seq);
      expect(told.sort((a, b) => a - b)).toEqual(words);
      const { messages } = await rpc().call<{ messages: { seq: string }[] }>("RoomService/ListMessages", {
        room_id: rooms[0],
      });
      expect(messages.map(({ seq }) => Number(seq))).toEqual([kept.seq]);
      const { events } = await rpc().call<{ events: { action: string }[] }>("AdminService/ListAuditEvents", {
        uid: eve.uid,
      });
      expect(events.map(({ action }) => action)).toEqual([
        "AUDIT_ACTION_DELETE_USER_MESSAGES",
        "AUDIT_ACTION_DELETE_USER_MESSAGES",
      ]);
    });

    it("disconnects a user with 4503 within a second, and nobody else", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("disconnect");
      const [ann, bob] = [await crowd.join(room), await crowd.join(room)];
      const response = await rpc().call<{ disconnected: number }>("AdminService/DisconnectClients", {
        uid: bob.uid,
        reason: "cheating",
      });
      expect(response.disconnected).toBe(1);
      expect(await bob.closing(1_000)).toEqual({ code: 4503, reason: "cheating" });
      await ann.next("member_left", (left) => left.uid === bob.uid, { withinMs: 1_000 });
      await ann.request("ping");
      expect(await rpc().fails("AdminService/DisconnectClients", {})).toMatchObject({ status: 400 });
    });

    it("lists edges and counts what is going on", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("stats");
      const ann = await crowd.join(room);
      const { epoch } = await ann.request("join_room", { room_id: room });
      const { edges } = await rpc().get<{ edges: { edge_id: string; incarnation: string; start_time: string }[] }>(
        "AdminService/ListEdges",
      );
      expect(edges).toHaveLength(topology.edges.length);
      expect(edges.map((edge) => edge.edge_id)).toContain(ann.welcome.edge_id);
      const stats = await rpc().get<Record<string, number | string>>("AdminService/GetStats");
      expect(stats).toMatchObject({ edges: topology.edges.length, epoch });
      for (const name of ["clients", "users", "rooms", "members"]) expect(stats[name], name).toBeGreaterThan(0);
    });

    it("tells everyone a notice", async () => {
      await using crowd = new Crowd(topology);
      const message = `restart at noon ${crypto.randomUUID()}`;
      const clients = [await crowd.connect(), await crowd.join(newRoom("notice"))];
      await rpc().call("AdminService/BroadcastNotice", { message });
      for (const client of clients) await client.next("notice", (notice) => notice.message === message);
      expect(await rpc().fails("AdminService/BroadcastNotice", { message: "" })).toMatchObject({ status: 400 });
    });

    it("answers /livez, /readyz and /metrics on the operations' port only", async () => {
      await using crowd = new Crowd(topology);
      await crowd.join(newRoom("ops"));
      for (const ops of topology.ops) {
        expect((await fetch(`${ops}/livez`)).status).toBe(200);
        await eventually("/readyz to be 200", async () => (await fetch(`${ops}/readyz`)).status === 200);
        const metrics = await fetch(`${ops}/metrics`);
        expect(metrics.headers.get("content-type")).toContain("text/plain");
        const text = await metrics.text();
        expect(text).toMatch(/^baccarat_\w+/m);
        expect(text).not.toMatch(/room="|uid="/);
      }
      for (const base of [...topology.edges, ...topology.rpcs]) {
        expect((await fetch(`${base}/metrics`)).status, base).toBe(404);
      }
    });
  });

  describe("RPC at its boundary", { concurrent: true }, () => {
    it.each([
      ["no such method", "RoomService/Nothing", "POST", "application/json", "{}", 404],
      ["a GET of what has side effects", "RoomService/CreateRoom", "GET", "application/json", undefined, 405],
      ["a form's content type", "RoomService/GetRoom", "POST", "text/plain", "{}", 415],
      ["no JSON", "RoomService/GetRoom", "POST", "application/json", "{", 400],
      ["a wrong type", "RoomService/GetRoom", "POST", "application/json", '{"room_id":5}', 400],
      ["a body over 1 MiB", "RoomService/GetRoom", "POST", "application/json", `"${"x".repeat(1_100_000)}"`, 429],
    ])("answers %s", async (_, method, verb, type, body, status) => {
      const response = await fetch(`${topology.rpcs[0]}/baccarat.v1.${method}`, {
        method: verb,
        headers: { "content-type": type },
        ...(body === undefined ? {} : { body }),
      });
      expect(response.status).toBe(status);
      expect(response.headers.get("access-control-allow-origin")).toBeNull();
    });

    it("answers only to names of the loopback while it is open, so that no page can rebind its name to it", async () => {
      const base = topology.rpcs[0] ?? "";
      for (const [host, status] of [
        ["evil.example", 421],
        [`127.0.0.1.evil.example:${new URL(base).port}`, 421],
        [`localhost:${new URL(base).port}`, 200],
      ] as const) {
        await using raw = await RawSocket.connect(base);
        const target = "/baccarat.v1.AdminService/GetStats?encoding=json&message=%7B%7D";
        expect(await raw.exchange([`GET ${target} HTTP/1.1`, `Host: ${host}`]), host).toContain(`HTTP/1.1 ${status} `);
      }
    });

    it("takes GET with camelCase or snake_case names, and answers with proto field names", async () => {
      const room_id = newRoom("names");
      for (const request of [{ roomId: room_id }, { room_id }]) {
        expect(await rpc().get("RoomService/GetRoom", request)).toMatchObject({ room: { room_id } });
      }
    });
  });
}
