import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster } from "../support/cluster.ts";
import { Crowd, newRoom } from "../support/crowd.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { RpcClient } from "../support/rpc.ts";
import { NO_TRAFFIC_LIMITS } from "../support/topology.ts";

/** Everything the product may say to NATS, whatever it is told. */
const ALLOWED = [
  /^baccarat\.(log|live|signal)\.[rd]\.[A-Za-z0-9_=-]{1,420}$/,
  /^\$KV\.baccarat_control(\.[A-Za-z0-9_=-]+){1,6}$/,
  /^\$JS\.API\.(INFO|SERVER\.\S+)$/,
  /^\$JS\.API\.(STREAM|CONSUMER|DIRECT)(\.[A-Z]+){1,3}\.(BACCARAT_LOG|KV_baccarat_control)(\.[A-Za-z0-9_.=$*>-]+)?$/,
  /^\$JS\.(ACK|FC)\.(BACCARAT_LOG|KV_baccarat_control)\.\S+$/,
  /^\$JS\.EVENT\.ADVISORY\.\S+$/,
  /^_INBOX\.[A-Za-z0-9.]+$/,
];

const HOSTILE = [
  ...["*", ">", "a.>", "$SYS.REQ", "$JS.API.STREAM.DELETE.BACCARAT_LOG", "_INBOX.x", "a\r\nPUB evil 1\r\nx\r\n", "a b"],
  ...["a\tb", "a\u0000b", "../x", "%2e", "é", "\u{1f600}", "r".repeat(65), "direct:a", "direct:b:a"],
];
const ODD = [".", "..", "a..b", ".a", "a.", "A", "a:b", "@", "-", "_", "a=2Eb", "direct:a.b:c|d"];

describe("what NATS hears", () => {
  const topology = new Cluster(NO_TRAFFIC_LIMITS, { nats: 1, rooms: 1, edges: 1 });
  beforeAll(() => topology.start(), 90_000);
  afterAll(() => topology.stop(), 30_000);

  it("has nothing of what clients and services say in its subjects but encoded ids", async () => {
    const spy = await connect({ servers: topology.nats.urls });
    const subjects = new Set<string>();
    spy.subscribe(">", { callback: (_error, { subject }) => void subjects.add(subject) });
    await spy.flush();
    await using crowd = new Crowd(topology);
    const ann = await crowd.connect();
    const rpc = new RpcClient(topology.rpcs[0] ?? "");
    const edge = topology.edges[0] ?? "";
    const attempt = async (id: string): Promise<void> => {
      for (const type of ["join_room", "get_history", "get_members", "leave_room", "typing"]) {
        await ann.request(type as "join_room", { room_id: id }).catch(() => undefined);
      }
      const hostile = { message: id, client_msg_id: id.slice(0, 64), from: id.slice(0, 64) };
      for (const target of [{ room_id: id }, { to_uid: id }]) {
        await ann.request("send_message", { ...target, ...hostile }).catch(() => undefined);
      }
      for (const method of ["SendMessage", "BanMember", "KickMember", "CreateRoom", "ListMessages"]) {
        const request = { room_id: id, uid: id, idempotency_key: id, message: id, room: { room_id: id } };
        await rpc.call(`RoomService/${method}`, request).catch(() => undefined);
      }
      await rpc.call("AdminService/RevokeTokens", { token_id: id }).catch(() => undefined);
      await using raw = await RawSocket.connect(edge);
      await raw.handshake(
        `/ws?room_id=${encodeURIComponent(id)}&username=${encodeURIComponent(id)}`,
        new URL(edge).host,
      );
    };
    // Side by side: a message to somebody who never existed is answered only after a while.
    await Promise.all([...HOSTILE, ...ODD].map(attempt));
    const room = newRoom("after");
    await ann.request("join_room", { room_id: room });
    await ann.say(room, "still here");
    await spy.flush();
    await spy.close();
    expect([...subjects].filter((subject) => subject.startsWith("baccarat.log.")).length).toBeGreaterThan(
      ODD.length / 2,
    );
    expect([...subjects].filter((subject) => !ALLOWED.some((pattern) => pattern.test(subject)))).toEqual([]);
  }, 60_000);
});
