import { createServer, type Server } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { judgeServer } from "../../../cli/doctor-checks.ts";
import { probeNats } from "../../../cli/nats-probe.ts";

const NOBODY = { user: undefined, password: undefined, token: undefined };
const NO_FILES = { ca: undefined, cert: undefined, key: undefined };

describe("judgeServer", () => {
  const report = { name: "n0", jetstream: true, streams: new Map() };
  const judge = (version: string, cluster: string | undefined, minClusterVersion: string) =>
    judgeServer("h:4222", { ...report, version, cluster }, minClusterVersion);

  it("goes by the rule of /readyz", () => {
    expect(judge("2.9.10", undefined, "2.12.0")).toMatchObject({ state: "ok", advice: "" });
    expect(judge("2.12.0", "c", "2.12.0")).toMatchObject({ state: "ok", advice: "" });
    expect(judge("2.9.10", "c", "2.9.10")).toMatchObject({
      state: "warning",
      found: "h:4222 is n0, version 2.9.10, in cluster c",
      advice: "nats-server 2.9.10 has known faults in a cluster: 2.12.0 or newer is recommended",
    });
    expect(judge("2.9.10", "c", "2.12.0")).toMatchObject({
      state: "failure",
      advice: "nats-server 2.9.10 is too old for a cluster: NATS_MIN_CLUSTER_VERSION is 2.12.0",
    });
    expect(judge("2.9.9", undefined, "2.9.10")).toMatchObject({
      state: "failure",
      advice: "nats-server 2.9.9 is too old: 2.9.10 or newer is needed",
    });
  });
});

describe("probeNats of something that is no NATS server, or none for us", () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  /** Something that says one thing to whoever connects. */
  async function speaker(text: string): Promise<URL> {
    const server = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      socket.end(text);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new URL(`nats://127.0.0.1:${(server.address() as { port: number }).port}`);
  }

  it.each([
    ["HTTP/1.1 400 Bad Request\r\n\r\n", "closed the connection"],
    ['INFO {"server_name":"n","version":"2.12.0","tls_required":true}\r\n', /TLS|socket/],
    ['INFO {"server_name":"n","version":"2.12.0"}\r\n-ERR \'Authorization Violation\'\r\n', "Authorization Violation"],
  ])("says what is wrong: %j", async (text, message) => {
    const probed = probeNats(await speaker(text), NOBODY, NO_FILES, [], AbortSignal.timeout(5_000));
    await expect(probed).rejects.toThrow(message);
  });

  it("does not do without the TLS that the settings ask for", async () => {
    const url = await speaker('INFO {"server_name":"n","version":"2.12.0"}\r\n');
    const probed = probeNats(
      new URL(url.href.replace("nats:", "tls:")),
      NOBODY,
      NO_FILES,
      [],
      AbortSignal.timeout(5_000),
    );
    await expect(probed).rejects.toThrow("it has no TLS");
  });

  it("gives up when nothing is said", async () => {
    const server = createServer();
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const probed = probeNats(new URL(`nats://127.0.0.1:${port}`), NOBODY, NO_FILES, [], AbortSignal.timeout(100));
    await expect(probed).rejects.toThrow("does not answer");
  });
});
