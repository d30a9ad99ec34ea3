import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestClient } from "../support/client.ts";
import { eventually } from "../support/eventually.ts";
import { ProductProcess, ROOT, TELLS_MODULES } from "../support/process.ts";
import { type Ran, run } from "../support/run.ts";

const EXIT_CONFIG = 78;
/** 3 s is promised; continuous integration is slower than what that is promised for. */
const LISTENS_MS = 10_000;

describe("starting", { timeout: 60_000 }, () => {
  let directory: string;
  let directories = 0;
  const newDirectory = (): string => {
    directories += 1;
    return join(directory, `${directories}`);
  };
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "baccarat-start-"));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it("says where it listens, and stops at SIGTERM and SIGINT", async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const product = new ProductProcess({ env: { DATA_DIR: newDirectory() } });
      await product.listening(LISTENS_MS);
      for (const base of [product.addresses.edge, product.addresses.rpc, product.addresses.ops]) {
        expect(base).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
      }
      expect((await fetch(product.addresses.edge ?? "")).status).toBe(200);
      expect(await product.stop(signal)).toEqual({ code: 0, signal: null });
      expect(product.stderr).toBe("");
    }
  });

  it("works through `npm start`, and everything ends with npm", async () => {
    const product = new ProductProcess({ command: ["npm", "start"], env: { DATA_DIR: newDirectory() } });
    const { edge = "" } = await product.listening();
    const client = await TestClient.connect(edge);
    product.signal("SIGTERM");
    expect((await client.closing()).code).toBe(1012);
    await product.exit();
    await eventually("the port to be free", () =>
      fetch(edge).then(
        () => false,
        () => true,
      ),
    );
  });

  it("tells what can be set with --help", async () => {
    const { code, stdout, stderr } = await run({ args: ["--help"] });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const name of ["EDGE_PORT", "DATA_DIR", "NATS_URL", "MESSAGES_PER_SECOND", "--check-config"]) {
      expect(stdout).toContain(name);
    }
  });

  it("checks the configuration with --check-config and listens nowhere", async () => {
    const good = await run({ args: ["--check-config"], env: { DATA_DIR: "/nonexistent/never/made" } });
    expect(good).toMatchObject({ code: 0, stderr: "" });
    expect(good.stdout).not.toContain("listening");
    expect((await run({ args: ["--check-config"], env: { EDGE_PORT: "x" } })).code).toBe(EXIT_CONFIG);
  });

  it("prints the configuration with --print-config, without secrets", async () => {
    const env = { JWT_SECRET: "hunter2-hunter2-hunter2-hunter2-hunter2", EDGE_PORT: "4000" };
    const { code, stdout } = await run({ args: ["--print-config"], env });
    expect(code).toBe(0);
    expect(stdout).toContain("\nEDGE_PORT=4000\n");
    expect(stdout).not.toContain("hunter2");
  });

  it("loads nothing that traces unless messages are traced", async () => {
    const loaded = async (env: Readonly<Record<string, string>>): Promise<readonly string[]> => {
      const product = await ProductProcess.start({ env: { DATA_DIR: newDirectory(), ...TELLS_MODULES, ...env } });
      expect((await product.stop()).code).toBe(0);
      const line = product.logLines().find(({ msg }) => msg === "packages loaded");
      return line?.packages as readonly string[];
    };
    const [off, on] = [await loaded({}), await loaded({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" })];
    const ofTracing = (names: readonly string[]) => names.filter((name) => name.startsWith("@opentelemetry/"));
    // prom-client loads the interfaces for itself.
    expect(ofTracing(off)).toEqual(["@opentelemetry/api"]);
    expect(ofTracing(on)).toEqual(
      expect.arrayContaining(["@opentelemetry/sdk-trace", "@opentelemetry/exporter-trace-otlp-http"]),
    );
  });

  it("turns LOG_LEVEL to debug and back at SIGUSR2", async () => {
    const product = await ProductProcess.start({ env: { DATA_DIR: newDirectory(), LOG_LEVEL: "warn" } });
    const levels = () => product.logLines().flatMap((line) => (line.msg === "log level changed" ? [line.now] : []));
    product.signal("SIGUSR2");
    await eventually("the first change", () => levels().length === 1);
    product.signal("SIGUSR2");
    await eventually("the second change", () => levels().length === 2);
    expect(levels()).toEqual(["debug", "warn"]);
    expect((await product.stop()).code).toBe(0);
  });

  it("refuses a bad configuration with one line per mistake, a suggestion and exit code 78", async () => {
    const { code, stdout, stderr } = await run({
      env: {
        EDGE_PORT: "70000",
        EDGE_HOTS: "localhost",
        BACCARAT_RPC_PORT: "1",
        MESSAGES_PER_SECOND: "0",
        AUTH_MODE: "none",
      },
    });
    expect(code).toBe(EXIT_CONFIG);
    expect(stdout).toBe("");
    const lines = stderr.trim().split("\n");
    for (const [name, hint] of [
      ["EDGE_PORT", "70000"],
      ["EDGE_HOTS", "EDGE_HOST"],
      ["BACCARAT_RPC_PORT", "RPC_PORT"],
      ["MESSAGES_PER_SECOND", "0"],
      ["AUTH_MODE", "guest"],
    ] as const) {
      const about = lines.filter((line) => line.includes(`${name}:`));
      expect(about, name).toHaveLength(1);
      expect(about[0]).toContain(hint);
    }
  });

  it.each([
    [["--role=edge"], {}, "NATS_URL"],
    [["--role=room"], {}, "NATS_URL"],
    [[], { NODE_ENV: "production" }, "AUTH_MODE"],
    [[], { AUTH_MODE: "jwt" }, "JWT_SECRET"],
    [[], { RPC_HOST: "0.0.0.0" }, "RPC_TOKENS"],
  ])("refuses %j with %j, naming %s", async (args, env, name) => {
    const { code, stderr } = await run({ args, env });
    expect(code).toBe(EXIT_CONFIG);
    expect(stderr).toContain(name);
  });

  it("refuses in production what is unsafe, and --check-config says the same", async () => {
    const env = {
      NODE_ENV: "production",
      NODE_OPTIONS: "--inspect=127.0.0.1:0",
      RPC_HOST: "0.0.0.0",
      RPC_TOKENS: `ops:admin:${"changeme".repeat(4)}`,
      NATS_URL: "nats://nats.example:4222",
      NATS_USER: "room",
      NATS_PASSWORD: "password",
    };
    const [started, checked] = await Promise.all([
      run({ args: ["--role=room"], env }),
      run({ args: ["--role=room", "--check-config"], env }),
    ]);
    const lines = ({ code, stdout, stderr }: Ran) => {
      expect({ code, stdout }).toEqual({ code: EXIT_CONFIG, stdout: "" });
      // What Node itself says of the debugger it has opened by then.
      return stderr
        .trim()
        .split("\n")
        .filter((line) => !/^(Debugger|For help)/.test(line));
    };
    expect(lines(checked)).toEqual(lines(started));
    const named = lines(started).map((line) => line.split(":", 1)[0]);
    expect(named).toEqual(["RPC_TOKENS", "RPC_TLS_CERT_FILE", "NATS_URL", "NATS_PASSWORD", "NODE_OPTIONS"]);
    const command = [process.execPath, "--inspect=127.0.0.1:0", join(ROOT, "bin/start.js")] as const;
    const demo = await run({ command, args: ["--demo"], env: { NODE_ENV: "production" } });
    expect(demo.code).toBe(EXIT_CONFIG);
    expect(demo.stderr).toMatch(/^--demo: .*$/m);
    expect(demo.stderr).toMatch(/^--inspect: .*$/m);
  });

  it("refuses arguments it does not know", async () => {
    for (const [argument, named] of [
      ["--role=nothing", "nothing"],
      ["--port=1", "--port"],
      ["edge", "edge"],
    ] as const) {
      const { code, stderr } = await run({ args: [argument] });
      expect(code, argument).not.toBe(0);
      expect(stderr).toContain(named);
    }
  });

  it("refuses data that another process uses", async () => {
    const DATA_DIR = newDirectory();
    const first = await ProductProcess.start({ env: { DATA_DIR } });
    expectOneClearLine(await run({ env: { DATA_DIR } }), DATA_DIR);
    expect((await fetch(`${first.addresses.ops}/livez`)).status).toBe(200);
    await first.stop();
    const second = await ProductProcess.start({ env: { DATA_DIR } });
    await second.stop();
  });

  it.each(["EDGE_PORT", "RPC_PORT", "OPS_PORT"])("refuses an %s that is taken", async (name) => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const { port } = holder.address() as { port: number };
    const ran = await run({ env: { DATA_DIR: newDirectory(), [name]: `${port}` } });
    expectOneClearLine(ran, `${port}`);
    holder.close();
  });

  it("refuses a DATA_DIR it cannot write to", async () => {
    const file = newDirectory();
    await writeFile(file, "a file, not a directory");
    for (const DATA_DIR of [file, join(file, "data"), "/proc/nothing", "/proc/nothing/data"]) {
      expectOneClearLine(await run({ env: { DATA_DIR } }), DATA_DIR);
    }
  });

  it("refuses data that is damaged", async () => {
    const DATA_DIR = newDirectory();
    const product = await ProductProcess.start({ env: { DATA_DIR } });
    await product.stop();
    for (const name of await readdir(DATA_DIR)) await writeFile(join(DATA_DIR, name), "not a database ".repeat(1_000));
    expectOneClearLine(await run({ env: { DATA_DIR } }), DATA_DIR);
  });
});

/** Somebody reads this line to know what to change. */
function expectOneClearLine({ code, stderr }: Ran, named: string): void {
  expect(code).not.toBe(0);
  expect(code).not.toBeNull();
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(stderr).toContain(named);
}
