import { spawn } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  CERTIFICATES,
  environmentFile,
  initialiseCertificates,
  initialiseSecrets,
} from "../../scripts/compose-init.ts";
import { BUILT_VERSION } from "../../scripts/get-nats-server.ts";
import { isOlder, RECOMMENDED_IN_CLUSTER } from "../../services/nats-version.ts";
import { type ComposeFile, lintCompose, readCompose, readEnvironment } from "../support/compose-file.ts";
import { ROOT } from "../support/process.ts";

const secrets = readEnvironment(environmentFile());
const text = await readFile(join(ROOT, "docker-compose.yml"), "utf8");

describe("docker-compose.yml", () => {
  const file: ComposeFile = readCompose(text, secrets);
  const services = Object.entries(file.services);
  const lasting = services.filter(([, service]) => service.restart !== "no");

  it("runs the whole cluster", () => {
    const names = services.map(([name]) => name);
    expect(names).toEqual(
      expect.arrayContaining(["nats-1", "nats-2", "nats-3", "room-1", "room-2", "edge-1", "edge-2", "balancer"]),
    );
    expect(names).toEqual(expect.arrayContaining(["prometheus", "grafana"]));
    expect(services.filter(([, { profiles }]) => profiles !== undefined).map(([name]) => name)).toEqual(["demo"]);
  });

  it("is what the compose specification allows", async () => {
    expect(await lintCompose(text)).toEqual([]);
    // What is no text may be read as something else by another YAML reader.
    for (const [name, { environment = {} }] of services) {
      for (const value of Object.values(environment)) expect(typeof value, name).toBe("string");
    }
  });

  it.each([
    ["a key that no service has", "user: haproxy", "users: haproxy", /services\/balancer.*additional properties/],
    ["a number for a list", 'command: ["--demo"]', "command: 7", /services\/demo\/command/],
    ["a map where a list's text was meant", /'(fetch.*)'$/m, "$1", /services\/room-1\/healthcheck\/test/],
    ["a condition that is none", "service_healthy", "healthy", /services\/room-1\/depends_on/],
    ["a port on every address", "127.0.0.1:3100:3000", "3100:3000", /no-unbound-port-interfaces/],
  ])("would not pass with %s", async (_, from, to, expected) => {
    const changed = text.replace(from, to);
    expect(changed).not.toBe(text);
    const found = await lintCompose(changed);
    expect(found).toContainEqual(expect.stringMatching(expected));
  });

  it.each([
    ["good, once it has started", 200, 0],
    ["bad, before", 503, 1],
  ])("finds the health of a process of ours %s", async (_, status, expected) => {
    const [cmd, ...words] = file.services["room-1"]?.healthcheck?.test ?? [];
    expect([cmd, words[0]]).toEqual(["CMD", "node"]);
    const server = createServer((request, response) => {
      response.writeHead(request.url === "/startupz" ? status : 404).end();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const own = words.slice(1).map((word) => word.replace(":9090", `:${(server.address() as AddressInfo).port}`));
    const [code] = await once(spawn(process.execPath, own), "exit");
    server.close();
    expect(code).toBe(expected);
  });

  it("says what to do when there are no secrets", () => {
    expect(() => readCompose(text, {})).toThrow("run npm run compose:init");
  });

  it("gives no service more than it needs", () => {
    for (const [name, service] of services) {
      expect(service, name).toMatchObject({ read_only: true, cap_drop: ["ALL"], mem_limit: expect.any(String) });
      expect(service.security_opt, name).toContain("no-new-privileges:true");
      expect(service.image, name).toMatch(/:[\w.-]*\d[\w.-]*$|:local$/);
    }
    for (const [name, service] of lasting) {
      expect(service.user, name).toMatch(/^[1-9]\d*:\d+$|^haproxy$/);
      expect(service.healthcheck?.test.length, name).toBeGreaterThan(1);
    }
  });

  it("publishes on loopback only, and nothing but the balancer, Grafana and the demo", () => {
    const published = services.filter(([, { ports }]) => ports !== undefined);
    expect(published.map(([name]) => name)).toEqual(["balancer", "grafana", "demo"]);
    for (const [name, { ports = [] }] of published) {
      for (const port of ports) expect(port, name).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    }
  });

  it("names only what there is: files, volumes, networks, services", async () => {
    for (const [name, service] of services) {
      for (const volume of service.volumes ?? []) {
        const [source = ""] = volume.split(":");
        if (source.startsWith(".")) await stat(join(ROOT, source));
        else expect(Object.keys(file.volumes), name).toContain(source);
      }
      for (const secret of service.secrets ?? []) expect(Object.keys(file.secrets), name).toContain(secret);
      for (const network of service.networks ?? []) expect(Object.keys(file.networks), name).toContain(network);
      for (const needed of Object.keys(service.depends_on ?? {})) expect(file.services, name).toHaveProperty(needed);
    }
  });

  it("runs production with tokens, and the demo for guests in streams of its own", () => {
    for (const name of ["edge-1", "edge-2", "room-1", "room-2"]) {
      expect(file.services[name]?.environment).toMatchObject({ NODE_ENV: "production" });
    }
    expect(file.services["edge-1"]?.environment).toMatchObject({ AUTH_MODE: "jwt", NATS_USER: "edge" });
    expect(file.services["room-1"]?.environment).toMatchObject({ NATS_USER: "room", NATS_REPLICAS: "3" });
    expect(file.services.demo?.environment).toMatchObject({ AUTH_MODE: "guest", NATS_PREFIX: "demo" });
  });

  it("has edges believe the balancer, at the one address they see of it", () => {
    for (const name of ["edge-1", "edge-2"]) {
      const { networks = [], environment } = file.services[name] ?? {};
      const [shared = "", ...others] = networks.filter((network) =>
        file.services.balancer?.networks?.includes(network),
      );
      expect(others, name).toEqual([]);
      expect(file.networks[shared]?.ipam?.config, name).toEqual([{ subnet: environment?.TRUST_PROXY }]);
    }
  });

  it("is not ready on servers with known faults in a cluster", () => {
    for (const name of ["edge-1", "edge-2", "room-1", "room-2", "demo"]) {
      expect(file.services[name]?.environment?.NATS_MIN_CLUSTER_VERSION, name).toBe(RECOMMENDED_IN_CLUSTER);
    }
    expect(isOlder(BUILT_VERSION, RECOMMENDED_IN_CLUSTER)).toBe(false);
  });

  it("gives edges more time to stop than they drain, and NATS the version the tests run", () => {
    for (const name of ["edge-1", "edge-2"]) {
      const drain = Number(file.services[name]?.environment?.DRAIN_SECONDS);
      expect(Number.parseInt(file.services[name]?.stop_grace_period ?? "", 10)).toBeGreaterThanOrEqual(drain + 8);
    }
    expect(file.services["nats-1"]?.image).toBe(`nats:${BUILT_VERSION}-alpine`);
  });
});

describe("npm run compose:init", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "baccarat-init-"));
  });
  afterAll(() => rm(directory, { recursive: true }));

  it("makes certificates in a folder that nobody else may look into, each where it is used, and never twice", async () => {
    expect(await initialiseCertificates(directory)).toBe(true);
    const folder = join(directory, CERTIFICATES);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    const { secrets: used, services } = readCompose(text, secrets);
    expect((await readdir(folder)).map((name) => `./${CERTIFICATES}/${name}`).sort()).toEqual(
      Object.values(used)
        .map(({ file }) => file)
        .sort(),
    );
    const read = (name: string): Promise<string> => readFile(join(folder, name), "utf8");
    const authority = new X509Certificate(await read("ca.pem"));
    for (const kind of ["nats", "room"]) {
      const certificate = new X509Certificate(await read(`${kind}.pem`));
      expect(certificate.checkIssued(authority) && certificate.verify(authority.publicKey)).toBe(true);
      expect(certificate.checkPrivateKey(createPrivateKey(await read(`${kind}.key`)))).toBe(true);
      for (const host of Object.keys(services).filter((name) => name.startsWith(`${kind}-`) && /\d$/.test(name))) {
        expect(certificate.checkHost(host), host).toBe(host);
      }
    }
    const before = await read("room.pem");
    expect(await initialiseCertificates(directory)).toBe(false);
    expect(await read("room.pem")).toBe(before);
  });

  it("makes secrets nobody else can read, and never twice", async () => {
    const path = join(directory, ".env");
    expect(await initialiseSecrets(directory)).toBe(true);
    const made = await readFile(path, "utf8");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await initialiseSecrets(directory)).toBe(false);
    expect(await readFile(path, "utf8")).toBe(made);
    const long = Object.values(readEnvironment(made)).filter((value) => value.length > 40);
    expect(new Set(long).size).toBe(long.length);
    expect(long.length).toBeGreaterThanOrEqual(8);
  });
});
