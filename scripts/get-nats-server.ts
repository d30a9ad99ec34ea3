import { execFile } from "node:child_process";
import { access, constants, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";

/**
 * Finds a nats-server for the tests, or gets one: NATS_SERVER_BIN, PATH, apt-get (root on Debian), `go install`.
 * Nothing to be had is a failure with instructions: tests that skip themselves show nothing.
 *
 * Run as a script it prints version, path and origin of the first one, with `--all` of every one.
 */
const run = promisify(execFile);

/** Version that `go install` builds. Pinned, so that a red test means our change, not a release of theirs. */
export const BUILT_VERSION = "2.15.2";

const CACHE = join(import.meta.dirname, "..", ".cache");
const INSTRUCTIONS = `no nats-server to be had. Any of these helps:
  - set NATS_SERVER_BIN to the path of one (2.9.10 or newer)
  - put one on PATH
  - as root on Debian: apt-get install nats-server
  - install Go, so that it can be built: go install github.com/nats-io/nats-server/v2@v${BUILT_VERSION}`;

/** A server that can be started. */
export interface NatsServerBinary {
  readonly path: string;
  /** Such as `2.9.10`. */
  readonly version: string;
  /** Where it was found: `NATS_SERVER_BIN`, `PATH`, `apt-get` or `go install`. */
  readonly origin: string;
}

type Environment = Readonly<Record<string, string | undefined>>;
type Source = (env: Environment, cache: string) => Promise<NatsServerBinary | undefined>;

/** The first server to be had; what is built is kept in `cache`. @throws Error with what would help and what failed. */
export async function getNatsServer(env: Environment, cache: string = CACHE): Promise<NatsServerBinary> {
  const failures: string[] = [];
  for (const source of [configured, onPath, fromDebian, built]) {
    const found = await attempt(source, env, cache, failures);
    if (found) return found;
  }
  throw nothingFound(failures);
}

/**
 * Every server to be had, oldest first, one per version: suites run on each of them. Debian's is only installed when
 * PATH has none. @throws Error when there is none at all.
 */
export async function getNatsServers(env: Environment, cache: string = CACHE): Promise<readonly NatsServerBinary[]> {
  const failures: string[] = [];
  const attemptOne = (source: Source) => attempt(source, env, cache, failures);
  const chosen = await attemptOne(configured);
  const installed = (await attemptOne(onPath)) ?? (await attemptOne(fromDebian));
  const found = [chosen, installed, await attemptOne(built)].filter((server) => server !== undefined);
  if (found.length === 0) throw nothingFound(failures);
  const byVersion = new Map(found.toReversed().map((server) => [server.version, server]));
  return [...byVersion.values()].sort((a, b) => a.version.localeCompare(b.version, "en", { numeric: true }));
}

async function attempt(
  source: Source,
  env: Environment,
  cache: string,
  failures: string[],
): Promise<NatsServerBinary | undefined> {
  try {
    return await source(env, cache);
  } catch (error) {
    // A wrong setting is the caller's mistake: going on with another server would hide it.
    if (source === configured) throw error;
    failures.push(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

function nothingFound(failures: readonly string[]): Error {
  return new Error([INSTRUCTIONS, ...failures].join("\n"));
}

async function configured(env: Environment): Promise<NatsServerBinary | undefined> {
  const path = env.NATS_SERVER_BIN;
  return path ? inspectBinary(path, "NATS_SERVER_BIN") : undefined;
}

async function onPath(env: Environment): Promise<NatsServerBinary | undefined> {
  const path = await find("nats-server", env);
  return path ? inspectBinary(path, "PATH") : undefined;
}

async function fromDebian(env: Environment): Promise<NatsServerBinary | undefined> {
  const aptGet = await find("apt-get", env);
  if (!aptGet || process.getuid?.() !== 0) return undefined;
  const options = { env: { ...env, DEBIAN_FRONTEND: "noninteractive" } };
  await run(aptGet, ["update"], options);
  await run(aptGet, ["install", "-y", "--no-install-recommends", "nats-server"], options);
  const path = await find("nats-server", env);
  return path ? inspectBinary(path, "apt-get") : undefined;
}

async function built(env: Environment, cache: string): Promise<NatsServerBinary | undefined> {
  const path = join(cache, `nats-server-${BUILT_VERSION}`);
  if (!(await isExecutable(path))) {
    const go = await find("go", env);
    if (!go) return undefined;
    await build(go, env, path);
  }
  return inspectBinary(path, "go install");
}

async function build(go: string, env: Environment, path: string): Promise<void> {
  const cache = dirname(path);
  await mkdir(cache, { recursive: true });
  const directory = await mkdtemp(join(cache, "go-"));
  try {
    const module = `github.com/nats-io/nats-server/v2@v${BUILT_VERSION}`;
    await run(go, ["install", module], { env: { ...env, GOBIN: directory } });
    // Test files run at the same time and may build it twice: a rename never shows anyone half a binary.
    await rename(join(directory, "nats-server"), path);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function inspectBinary(path: string, origin: string): Promise<NatsServerBinary> {
  const { stdout } = await run(path, ["-v"]);
  const version = /v(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`${path} (${origin}) is no nats-server: it says ${stdout.trim()}`);
  return { path, version, origin };
}

async function find(name: string, env: Environment): Promise<string | undefined> {
  for (const directory of (env.PATH ?? "").split(delimiter)) {
    const path = join(directory, name);
    if (directory !== "" && (await isExecutable(path))) return path;
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    // Not there, or not ours to run: either way it is no candidate.
    return false;
  }
}

if (import.meta.main) {
  const servers = process.argv.includes("--all")
    ? await getNatsServers(process.env)
    : [await getNatsServer(process.env)];
  for (const { version, path, origin } of servers) process.stdout.write(`${version} ${path} (${origin})\n`);
}
