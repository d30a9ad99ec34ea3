import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { connect } from "node:net";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { RoomService } from "../../gen/baccarat/v1/room_service_pb.ts";
import { getNatsServers } from "../../scripts/get-nats-server.ts";
import { type Certificates, makeCertificates } from "../support/certificates.ts";
import { TestClient } from "../support/client.ts";
import { PATIENCE_MS, within } from "../support/eventually.ts";
import { NatsServers } from "../support/nats-server.ts";
import { ProductProcess } from "../support/process.ts";
import { singleProcess, type Topology } from "../support/topology.ts";

describe("one process with TLS", () => {
  let files: Certificates;
  let topology: Topology;
  let ca: Buffer;

  beforeAll(async () => {
    files = await makeCertificates();
    ca = readFileSync(files.ca);
    topology = singleProcess({
      TLS_CERT_FILE: files.server.cert,
      TLS_KEY_FILE: files.server.key,
      RPC_TLS_CERT_FILE: files.server.cert,
      RPC_TLS_KEY_FILE: files.server.key,
      RPC_CLIENT_CA_FILE: files.ca,
    });
    await topology.start();
  });
  afterAll(async () => {
    await topology.stop();
    files[Symbol.dispose]();
  });

  const client = () => ({ ca, cert: readFileSync(files.client.cert), key: readFileSync(files.client.key) });
  const socketUrl = () => `${topology.edges[0]?.replace("https:", "wss:")}/ws?room_id=`;

  it("says so, and serves the page and WebSockets by it", async () => {
    expect(topology.edges[0]).toMatch(/^https:/);
    expect(topology.rpcs[0]).toMatch(/^https:/);
    expect(await statusOf(topology.edges[0] ?? "", { ca })).toBe(200);
    const webSocket = new WebSocket(socketUrl(), { ca, origin: topology.edges[0] ?? "" });
    const [data] = await within(PATIENCE_MS, "a welcome", once(webSocket, "message"));
    expect(JSON.parse(String(data))).toMatchObject({ type: "welcome" });
    webSocket.terminate();
  });

  it("takes its own origin by https only", async () => {
    const origin = topology.edges[0]?.replace("https:", "http:") ?? "";
    const webSocket = new WebSocket(socketUrl(), { ca, origin });
    const [error] = await within(PATIENCE_MS, "the refusal", once(webSocket, "error"));
    expect(String(error)).toContain("403");
  });

  it("answers RPCs of clients with a certificate, over HTTP/1.1, HTTP/2 and gRPC", async () => {
    const baseUrl = topology.rpcs[0] ?? "";
    const transports = [
      createConnectTransport({ baseUrl, httpVersion: "1.1", nodeOptions: client() }),
      createConnectTransport({ baseUrl, httpVersion: "2", nodeOptions: client() }),
      createGrpcTransport({ baseUrl, nodeOptions: client() }),
    ];
    for (const transport of transports) {
      const { room } = await createClient(RoomService, transport).getRoom({ roomId: "a" });
      expect(room?.roomId).toBe("a");
    }
  });

  it("refuses clients without a certificate, or with one that is another authority's or has ended", async () => {
    const shown = ({ cert, key }: { cert: string; key: string }) => ({
      ca,
      cert: readFileSync(cert),
      key: readFileSync(key),
    });
    for (const nodeOptions of [{ ca }, shown(files.stranger), shown(files.expired)]) {
      await expect(statusOf(topology.rpcs[0] ?? "", nodeOptions)).rejects.toThrow();
    }
    expect(await statusOf(topology.rpcs[0] ?? "", client())).toBe(404);
  });

  it("does not speak without TLS", async () => {
    for (const url of [topology.edges[0], topology.rpcs[0]]) {
      const socket = connect(Number(new URL(url ?? "").port), "127.0.0.1");
      socket.on("error", () => undefined); // a reset is a refusal, too
      let heard = "";
      socket.on("data", (bytes) => {
        heard += String(bytes);
      });
      socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
      await within(PATIENCE_MS, "the end of the connection", once(socket, "close"));
      expect(heard).not.toContain("200");
    }
  });
});

describe("roles with TLS between all of them, certificates on both sides", () => {
  it("attach, store and deliver", async () => {
    using files = await makeCertificates();
    const [binary] = await getNatsServers(process.env);
    const { cert, key } = files.server;
    const config = `tls { cert_file: "${cert}", key_file: "${key}", ca_file: "${files.ca}", verify: true }`;
    await using nats = await NatsServers.start({ path: binary?.path ?? "", size: 1, config });
    const env = {
      NATS_URL: nats.urls.join(","),
      NATS_TLS_CA: files.ca,
      NATS_TLS_CERT: files.client.cert,
      NATS_TLS_KEY: files.client.key,
    };
    const rpc = { RPC_TLS_CERT_FILE: cert, RPC_TLS_KEY_FILE: key, RPC_CLIENT_CA_FILE: files.ca };
    const room = await ProductProcess.start({ args: ["--role=room"], env: { ...env, ...rpc } });
    const { cert: ROOM_SERVICE_CERT_FILE, key: ROOM_SERVICE_KEY_FILE } = files.client;
    const attach = { ROOM_SERVICE_URL: room.addresses.rpc ?? "", ROOM_SERVICE_CA_FILE: files.ca };
    const edgeEnv = { ...env, ...attach, ROOM_SERVICE_CERT_FILE, ROOM_SERVICE_KEY_FILE };
    const edge = await ProductProcess.start({ args: ["--role=edge"], env: { ...edgeEnv, DRAIN_SECONDS: "1" } });
    const ann = await TestClient.connect(edge.addresses.edge ?? "");
    await ann.request("join_room", { room_id: "private" });
    await ann.say("private", "hello");
    expect((await ann.next("new_message")).payload.message).toBe("hello");
    await ann.close();
    for (const one of [edge, room]) expect(await one.stop()).toMatchObject({ code: 0 });
  }, 90_000);
});

/** Status of a GET of a new connection. */
function statusOf(url: string, options: object): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const sent = request(url, { ...options, agent: false }, (response) => {
    response.resume();
    resolve(response.statusCode ?? 0);
  });
  sent.on("error", reject);
  sent.end();
  return within(PATIENCE_MS, `an answer of ${url}`, promise);
}
