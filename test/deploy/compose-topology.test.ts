import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { create } from "@bufbuild/protobuf";
import { createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openNatsBroker } from "../../broker/nats.ts";
import { AdminService } from "../../gen/baccarat/v1/admin_service_pb.ts";
import { EventSchema } from "../../gen/baccarat/v1/event_pb.ts";
import { CERTIFICATES, environmentFile, initialiseCertificates } from "../../scripts/compose-init.ts";
import { getNatsServers } from "../../scripts/get-nats-server.ts";
import { controlKeys } from "../../services/control-keys.ts";
import type { RoomId, Uid } from "../../services/ids.ts";
import { createLog } from "../../services/log.ts";
import { TestClient } from "../support/client.ts";
import { type Collector, type ReceivedSpan, startCollector } from "../support/collector.ts";
import { readCompose, readEnvironment } from "../support/compose-file.ts";
import { ComposeTopology } from "../support/compose-topology.ts";
import { eventually } from "../support/eventually.ts";
import { ROOT } from "../support/process.ts";
import { RpcClient } from "../support/rpc.ts";
import { run as roomctl } from "../support/run.ts";

const run = promisify(execFile);
const room = "edge-room" as RoomId;
const secrets = readEnvironment(environmentFile());
const text = await readFile(join(ROOT, "docker-compose.yml"), "utf8");

/** Finds haproxy, or gets it: root on Debian can. @throws Error with what to do. */
async function requireHaproxy(): Promise<void> {
  try {
    await run("haproxy", ["-v"]);
  } catch {
    if (process.getuid?.() !== 0) throw new Error("haproxy is needed: apt-get install haproxy");
    await run("apt-get", ["install", "-y", "-q", "haproxy"]);
  }
}

describe("the topology of the compose file, as processes", () => {
  let cluster: ComposeTopology;
  let collector: Collector;
  let home: string;
  let ca: string;
  beforeAll(async () => {
    await requireHaproxy();
    home = await mkdtemp(join(tmpdir(), "baccarat-compose-home-"));
    await initialiseCertificates(home);
    ca = await readFile(join(home, CERTIFICATES, "ca.pem"), "utf8");
    const newest = (await getNatsServers(process.env)).at(-1);
    collector = await startCollector();
    const tracing = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_TRACES_SAMPLER_ARG: "1" };
    cluster = await ComposeTopology.start(readCompose(text, { ...secrets, ...tracing }), newest?.path ?? "", home);
  }, 180_000);
  afterAll(async () => {
    await cluster?.stop();
    await collector?.close();
    await rm(home, { recursive: true, force: true });
  }, 60_000);

  async function connectAs(sub: string, headers: Record<string, string> = {}): Promise<TestClient> {
    const token = await new SignJWT({ name: sub })
      .setProtectedHeader({ alg: "HS256" })
      .setSubject(sub)
      .setIssuer(secrets.JWT_ISSUER ?? "")
      .setAudience(secrets.JWT_AUDIENCE ?? "")
      .setIssuedAt()
      .setExpirationTime("10m")
      .sign(Buffer.from(secrets.JWT_SECRET ?? ""));
    const client = await TestClient.connect(`http://${cluster.address("balancer", 3000)}`, {
      protocols: ["baccarat.v1.json", `bearer.${token}`],
      headers,
    });
    await client.next("welcome");
    return client;
  }

  const rpc = (): RpcClient => new RpcClient(`http://${cluster.address("balancer", 8080)}`, secrets.OPS_TOKEN);

  const nats = (user: string, password = ""): Promise<NatsConnection> =>
    connect({ servers: cluster.address("nats-1", 4222), user, pass: password, tls: { ca }, reconnect: false });

  it("carries messages between edges, through the balancer, to history", async () => {
    const [ann, bob] = [await connectAs("ann"), await connectAs("bob", { "x-forwarded-for": "203.0.113.9" })];
    expect(new Set([ann, bob].map((client) => client.welcome.edge_id))).toEqual(new Set(["edge-1", "edge-2"]));
    for (const client of [ann, bob]) await client.request("join_room", { room_id: "smoke" });
    const { seq } = await ann.say("smoke", "hello");
    expect((await bob.next("new_message")).payload).toMatchObject({ uid: "ann", message: "hello", seq });
    const page = await rpc().call<{ messages: { message: string }[] }>("RoomService/ListMessages", {
      room_id: "smoke",
    });
    expect(page.messages.map(({ message }) => message)).toEqual(["hello"]);
    const { clients } = await rpc().call<{ clients: { remote_addr: string }[] }>("AdminService/ListClients", {
      uid: "bob",
    });
    expect(clients.map(({ remote_addr }) => remote_addr)).toEqual(["127.0.0.1"]);
    await Promise.all([ann.close(), bob.close()]);
  });

  it("traces a message from the frame over NATS to its delivery at either edge", async () => {
    const [ann, bob] = [await connectAs("tracy"), await connectAs("bob")];
    for (const client of [ann, bob]) await client.request("join_room", { room_id: "traced" });
    const owner = await nats("room", secrets.NATS_ROOM_PASSWORD);
    const live = owner.subscribe("baccarat.live.>", { max: 1 });
    await owner.flush();
    const { message_id } = await ann.say("traced", "said to bob alone");
    await bob.next("new_message");
    const of = (name: string): ReceivedSpan[] => {
      return collector.spans.filter((span) => span.name === name && span.traceId === sent()?.traceId);
    };
    const sent = (): ReceivedSpan | undefined =>
      collector.spans.find(({ attributes }) => attributes["messaging.message.id"] === message_id);
    await eventually(
      "the frame's span and both deliveries",
      () => of("frame send_message").length === 1 && of("deliver").length === 2,
    );
    const [frame, publish, store] = [of("frame send_message")[0], of("publish")[0], of("store")[0]];
    expect(frame?.parentSpanId).toBe("");
    expect(publish?.parentSpanId).toBe(frame?.spanId);
    expect(store?.parentSpanId).toBe(publish?.spanId);
    for (const delivery of of("deliver")) expect(delivery.parentSpanId).toBe(publish?.spanId);
    expect(
      of("deliver")
        .map(({ resource }) => resource["service.instance.id"])
        .sort(),
    ).toEqual(["edge-1", "edge-2"]);
    // The servers repeat the header with the event.
    for await (const { headers } of live) {
      expect(headers?.get("traceparent")).toBe(`00-${publish?.traceId}-${publish?.spanId}-01`);
    }
    const join = collector.spans.find(
      ({ name, resource }) => name === "attach join" && resource["baccarat.role"] === "room",
    );
    expect(collector.spans.find(({ spanId }) => spanId === join?.parentSpanId)?.name).toBe("frame join_room");
    for (const word of ["said to bob alone", "tracy", secrets.JWT_SECRET ?? "?"]) {
      expect(collector.text).not.toContain(word);
    }
    await Promise.all([ann.close(), bob.close(), owner.close()]);
  });

  it("moves clients to the other edge when one stops, with nobody refused", async () => {
    const clients = await Promise.all(["c1", "c2", "c3", "c4"].map((sub) => connectAs(sub)));
    const moving = clients.filter((client) => client.welcome.edge_id === "edge-1");
    expect(moving.length).toBeGreaterThan(0);
    const stopped = cluster.product("edge-1").stop();
    for (const client of moving) {
      expect((await client.next("reconnect")).payload).toMatchObject({ reason: "draining" });
    }
    const again = await Promise.all(moving.map((client) => connectAs(client.uid)));
    expect(again.map((client) => client.welcome.edge_id)).toEqual(again.map(() => "edge-2"));
    await Promise.all([...clients, ...again].map((client) => client.close()));
    expect((await stopped).code).toBe(0);
  });

  it("keeps edges from touching streams", async () => {
    const edge = await nats("edge", secrets.NATS_EDGE_PASSWORD);
    const owner = await nats("room", secrets.NATS_ROOM_PASSWORD);
    const info = async (): Promise<unknown> => (await owner.request("$JS.API.STREAM.INFO.BACCARAT_LOG")).json();
    const before = await info();
    const forbidden = [
      ...["CREATE", "UPDATE", "DELETE", "PURGE", "SNAPSHOT"].flatMap((verb) => [
        `STREAM.${verb}.BACCARAT_LOG`,
        `STREAM.${verb}.KV_baccarat_control`,
      ]),
      ...["STREAM.CREATE.OTHER", "STREAM.MSG.DELETE.BACCARAT_LOG", "STREAM.NAMES", "STREAM.LIST", "INFO"],
      ...["STREAM.PEER.REMOVE.BACCARAT_LOG", "STREAM.LEADER.STEPDOWN.BACCARAT_LOG", "META.LEADER.STEPDOWN"],
      ...["CONSUMER.CREATE.KV_baccarat_control.x", "STREAM.RESTORE.BACCARAT_LOG", "SERVER.REMOVE"],
    ];
    for (const method of forbidden) {
      const asked = edge.request(`$JS.API.${method}`, JSON.stringify({ name: "BACCARAT_LOG", seq: 1 }), {
        timeout: 2_000,
      });
      await expect(asked, method).rejects.toThrow(/[Pp]ermission/);
    }
    for (const subject of [
      "$KV.baccarat_control.room.x",
      "$KV.baccarat_control.ban.x.y",
      "baccarat.live.r.x",
      "demo.log.r.x",
    ]) {
      await expect(edge.request(subject, "x", { timeout: 2_000 }), subject).rejects.toThrow(/[Pp]ermission/);
    }
    expect(await info()).toMatchObject({ config: (before as { config: object }).config });
    await expect(owner.request("$JS.API.STREAM.DELETE.BACCARAT_LOG", "", { timeout: 2_000 })).rejects.toThrow(
      /[Pp]ermission/,
    );
    await Promise.all([edge.close(), owner.close()]);
  });

  it("lets edges do what they do", async () => {
    const lines: string[] = [];
    const broker = await openNatsBroker({
      servers: [cluster.address("nats-2", 4222)],
      auth: { user: "edge", password: secrets.NATS_EDGE_PASSWORD ?? "" },
      tls: { ca },
      prefix: "baccarat",
      retention: { maxMessages: 1_000, maxAgeMs: 7 * 24 * 3_600_000, maxBytes: 10 * 1024 ** 3 },
      owner: false,
      log: createLog({ level: "debug", output: { write: (line) => lines.push(line) } }),
    });
    try {
      const heard: number[] = [];
      await broker.subscribe(room, { onEvent: ({ seq }) => heard.push(seq), onSignal: () => undefined });
      await broker.subscribeDirect(() => undefined);
      const event = create(EventSchema, {
        roomId: room,
        body: { case: "message", value: { uid: "ann", message: "x" } },
      });
      const { seq } = await broker.publish(room, event, { lane: {} });
      await eventually("the live event", () => heard.includes(seq));
      // Without an index this reads the log through a consumer.
      const page = await broker.history(room, { after: 0, limit: 10 });
      expect(page.events.map((stored) => stored.seq)).toEqual([seq]);
      expect((await broker.position(room)).seq).toBeGreaterThanOrEqual(seq);
      // A lease of edge x, and a cursor in log x: the RoomServices read it too.
      const value = Uint8Array.of(0x0a, 1, 0x78);
      for (const key of [controlKeys.lease("test"), controlKeys.cursor("ann" as Uid)]) {
        await broker.control.put(key, value);
        expect((await broker.control.get(key))?.value).toEqual(value);
        await broker.control.delete(key);
      }
      expect(await broker.control.create(controlKeys.sessionSecret, Uint8Array.of(1))).toSatisfy(
        (revision) => revision === undefined || typeof revision === "number",
      );
      expect(await broker.control.get(controlKeys.user("nobody" as Uid))).toBeUndefined();
      expect(broker.health()).toEqual({ ok: true });
    } finally {
      await broker.close();
    }
    expect(lines.filter((line) => /permission/i.test(line))).toEqual([]);
  });

  it("speaks NATS and RPC by TLS only, and both kinds of HTTP through the balancer", async () => {
    const url = (name: string): string => `http://${cluster.address(name, 8080)}`;
    await expect(fetch(`${url("room-1")}/`)).rejects.toThrow();
    await expect(fetch(`${url("room-1").replace("http:", "https:")}/`)).rejects.toThrow();
    const socket = createConnection(Number(cluster.address("nats-1", 4222).split(":")[1]));
    const [greeting] = await once(socket, "data");
    socket.destroy();
    expect(String(greeting)).toContain('"tls_required":true');
    const authorization = `Bearer ${secrets.OPS_TOKEN}`;
    const authorize: Interceptor = (next) => (request) => {
      request.header.set("authorization", authorization);
      return next(request);
    };
    for (const createTransport of [createConnectTransport, createGrpcTransport]) {
      const transport = createTransport({ baseUrl: url("balancer"), httpVersion: "2", interceptors: [authorize] });
      expect(await createClient(AdminService, transport).getStats({})).toMatchObject({ edges: 2 });
    }
    expect(await rpc().call("AdminService/GetStats")).toMatchObject({ edges: 2 });
  });

  it("has the console call through the balancer, and pages of nobody else", async () => {
    const url = `http://${cluster.address("balancer", 8080)}`;
    expect((await fetch(`${url}/admin/`)).status).toBe(200);
    const status = async (origin: string): Promise<number> => {
      const headers = { origin, authorization: `Bearer ${secrets.OPS_TOKEN}`, "content-type": "application/json" };
      const request = { method: "POST", headers, body: "{}" };
      return (await fetch(`${url}/baccarat.v1.AdminService/GetStats`, request)).status;
    };
    expect(await status("http://localhost:8080")).toBe(200);
    expect(await status("http://127.0.0.1:8080")).toBe(200);
    expect(await status("http://localhost:3000")).toBe(403);
  });

  it("is found healthy by roomctl doctor, as one runs it in a RoomService's container", async () => {
    const authority = { NODE_EXTRA_CA_CERTS: join(home, CERTIFICATES, "ca.pem") };
    const [url, ops] = [`https://${cluster.address("room-1", 8080)}`, `http://${cluster.address("room-1", 9090)}`];
    const { code, stdout } = await roomctl({
      command: [process.execPath, "--disable-warning=ExperimentalWarning", join(ROOT, "bin/roomctl.js")],
      args: ["--url", url, "doctor", "--role", "room", "--ops", ops],
      env: { ...cluster.environment("room-1"), ...authority, ROOMCTL_TOKEN: secrets.OPS_TOKEN ?? "" },
    });
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/ok {3}NATS: .* is nats-1, version/),
    });
    expect(stdout).toMatch(/ok {3}NATS streams: BACCARAT_LOG has \d+ messages, 3 of 3 copies are up to date/);
  });

  it("lets nobody in without a password, at any door", async () => {
    await expect(nats("edge")).rejects.toThrow(/[Aa]uthorization/);
    await expect(
      new RpcClient(`http://${cluster.address("balancer", 8080)}`).call("AdminService/GetStats"),
    ).rejects.toThrow("401");
  });

  it("has every process ready, saying so where Prometheus asks", async () => {
    for (const name of ["edge-2", "room-1", "room-2"]) {
      await eventually(`${name} to be ready`, async () => {
        const response = await fetch(`http://${cluster.address(name, 9090)}/metrics`);
        return (await response.text()).includes("baccarat_ready 1");
      });
      expect(
        cluster
          .product(name)
          .logLines()
          .filter(({ level }) => level === "error"),
      ).toEqual([]);
    }
    await eventually("no permission to be missing", async () => {
      const denied = cluster
        .product("edge-2")
        .logLines()
        .filter((line) => /[Pp]ermission/.test(JSON.stringify(line)));
      return denied.length === 0;
    });
  });
});
