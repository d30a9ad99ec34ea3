import { createServer, type Server } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { isOlder } from "../../../cli/doctor-checks.ts";
import { probeNats } from "../../../cli/nats-probe.ts";

const NOBODY = { user: undefined, password: undefined, token: undefined };

describe("isOlder", () => {
  it.each([
    ["2.9.10", "2.12.0", true],
    ["2.12.0", "2.12.0", false],
    ["2.12.0-RC.1", "2.12.0", false],
    ["2.15.2", "2.12.0", false],
    ["3.0.0", "2.12.0", false],
  ])("%s than %s: %s", (version, than, older) => expect(isOlder(version, than)).toBe(older));
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
    ['INFO {"server_name":"n","version":"2.12.0","tls_required":true}\r\n', "TLS"],
    ['INFO {"server_name":"n","version":"2.12.0"}\r\n-ERR \'Authorization Violation\'\r\n', "Authorization Violation"],
  ])("says what is wrong: %j", async (text, message) => {
    const probed = probeNats(await speaker(text), NOBODY, [], AbortSignal.timeout(5_000));
    await expect(probed).rejects.toThrow(message);
  });

  it("gives up when nothing is said", async () => {
    const server = createServer();
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const probed = probeNats(new URL(`nats://127.0.0.1:${port}`), NOBODY, [], AbortSignal.timeout(100));
    await expect(probed).rejects.toThrow("does not answer");
  });
});
