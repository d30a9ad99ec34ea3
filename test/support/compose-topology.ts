import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { ComposeFile, ComposeService } from "./compose-file.ts";
import { Daemon } from "./daemon.ts";
import { eventually } from "./eventually.ts";
import { freePorts, NATS_READY_MS } from "./nats-server.ts";
import { ProductProcess, ROOT } from "./process.ts";

const LOOPBACK = "127.0.0.1";
/** Ports services listen on, and which of them belong to whom. */
const PORTS = { nats: [4222, 6222, 8222], room: [8080, 9090], edge: [3000, 9090], balancer: [3000, 8080] } as const;

/**
 * The processes of a compose file without containers: its own commands, environment and mounted files. What containers
 * would give each, a network address and a root of its own, is put in their place: every service's ports become free ones
 * on loopback, and its paths a directory of its own. Images' programs are those of this machine.
 */
export class ComposeTopology {
  readonly #file: ComposeFile;
  readonly #natsServer: string;
  readonly #home: string;
  readonly #directory: string;
  readonly #ports: ReadonlyMap<string, number>;
  readonly #daemons = new Map<string, Daemon>();
  readonly #products = new Map<string, ProductProcess>();

  /** Starts NATS, RoomServices, edges and balancer, in the order of depends_on. Secrets are files below `home`. */
  static async start(file: ComposeFile, natsServer: string, home: string): Promise<ComposeTopology> {
    const wanted = Object.keys(file.services).flatMap((name) =>
      (PORTS[kindOf(name) as keyof typeof PORTS] ?? []).map((port) => `${name}:${port}`),
    );
    const free = await freePorts(wanted.length);
    const ports = new Map(wanted.map((address, index) => [address, free[index] ?? 0]));
    const directory = await mkdtemp(join(tmpdir(), "baccarat-compose-"));
    const topology = new ComposeTopology(file, natsServer, home, directory, ports);
    try {
      await topology.#start();
    } catch (error) {
      await topology.stop();
      throw error;
    }
    return topology;
  }

  private constructor(
    file: ComposeFile,
    natsServer: string,
    home: string,
    directory: string,
    ports: ReadonlyMap<string, number>,
  ) {
    this.#file = file;
    this.#natsServer = natsServer;
    this.#home = home;
    this.#directory = directory;
    this.#ports = ports;
  }

  /** Where a service listens, as host:port. */
  address(service: string, port: number): string {
    const found = this.#ports.get(`${service}:${port}`);
    if (found === undefined) throw new Error(`${service} has no port ${port}`);
    return `${LOOPBACK}:${found}`;
  }

  /** A running RoomService's or edge's process. */
  product(service: string): ProductProcess {
    const found = this.#products.get(service);
    if (found === undefined) throw new Error(`${service} does not run`);
    return found;
  }

  /** The environment of a RoomService or an edge. */
  environment(name: string): Record<string, string> {
    const env = Object.entries(this.#file.services[name]?.environment ?? {}).map(([key, value]) => {
      if (key.endsWith("_PORT")) return [key, String(this.#ports.get(`${name}:${value}`))];
      // The balancer's addresses: here it is on loopback as well.
      if (key === "TRUST_PROXY") return [key, `${LOOPBACK}/32`];
      return [key, this.#localise(name, value)];
    });
    return Object.fromEntries(env);
  }

  /** Ends everything and deletes its data. */
  async stop(): Promise<void> {
    await this.#daemons.get("balancer")?.stop();
    for (const kind of ["edge", "room"]) {
      const stopping = [...this.#products].filter(([name]) => kindOf(name) === kind);
      await Promise.all(stopping.map(([, product]) => product.stop()));
    }
    await Promise.all([...this.#daemons.values()].map((daemon) => daemon.stop()));
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #start(): Promise<void> {
    await this.#each("nats", async (name, service) => {
      await mkdir(join(this.#directory, name, "data"), { recursive: true });
      await this.#run(name, [this.#natsServer, ...(await this.#command(name, service))], service);
    });
    await this.#each("nats", (name) => this.#healthy(name));
    await this.#each("room", (name, service) => this.#product(name, service));
    await this.#each("edge", (name, service) => this.#product(name, service));
    await this.#each("balancer", async (name, service) => this.#run(name, await this.#command(name, service), service));
    await eventually(
      "the balancer to find an edge",
      async () => {
        const response = await fetch(`http://${this.address("balancer", 3000)}/`);
        await response.body?.cancel();
        return response.ok;
      },
      { state: () => this.#daemons.get("balancer")?.log },
    );
  }

  async #each(kind: string, act: (name: string, service: ComposeService) => Promise<void>): Promise<void> {
    const services = Object.entries(this.#file.services).filter(([name]) => kindOf(name) === kind);
    await Promise.all(services.map(([name, service]) => act(name, service)));
  }

  async #run(name: string, command: readonly string[], service: ComposeService): Promise<void> {
    this.#daemons.set(name, new Daemon(name, command, service.environment));
  }

  async #product(name: string, service: ComposeService): Promise<void> {
    const started = await ProductProcess.start({ args: service.command ?? [], env: this.environment(name) });
    this.#products.set(name, started);
  }

  /** A service's command, with its mounted files written to where it finds them. */
  async #command(name: string, service: ComposeService): Promise<string[]> {
    const home = join(this.#directory, name);
    await mkdir(home, { recursive: true });
    const mounts = (service.volumes ?? [])
      .map((volume) => volume.split(":"))
      .filter(([source]) => source?.startsWith("."));
    const places = new Map<string, string>();
    for (const [source = "", target = ""] of mounts) {
      const place = join(home, basename(target));
      const text = await readFile(join(ROOT, source), "utf8");
      await writeFile(place, this.#localise(name, text).replaceAll('"/data"', `"${join(home, "data")}"`));
      places.set(target, place);
    }
    return (service.command ?? []).map((word) => {
      const mount = [...places].find(([target]) => word.endsWith(target));
      return mount === undefined ? this.#localise(name, word) : word.replace(mount[0], mount[1]);
    });
  }

  /** Puts addresses on loopback in the place of those in the compose network, and the service's own secrets in theirs. */
  #localise(name: string, text: string): string {
    return text
      .replace(/\/run\/secrets\/([\w.-]+)/g, (whole, secret: string) => {
        const isGiven = this.#file.services[name]?.secrets?.includes(secret);
        return isGiven ? join(this.#home, this.#file.secrets[secret]?.file ?? "") : whole;
      })
      .replace(/(server (\S+) \S+ port )(\d+)/g, (_, start: string, to: string, port: string) => {
        return start + this.address(to, Number(port)).split(":")[1];
      })
      .replace(/0\.0\.0\.0:(\d+)/g, (_, port: string) => this.address(name, Number(port)))
      .replace(/\b([a-z]+-\d):(\d+)/g, (whole, to: string, port: string) => {
        const found = this.#ports.get(`${to}:${port}`);
        return found === undefined ? whole : `${LOOPBACK}:${found}`;
      });
  }

  async #healthy(name: string): Promise<void> {
    await eventually(
      `${name} to be healthy`,
      async () => (await fetch(`http://${this.address(name, 8222)}/healthz?js-enabled-only=true`)).ok,
      { withinMs: NATS_READY_MS, state: () => this.#daemons.get(name)?.log },
    );
  }
}

/** `nats` of nats-1. */
function kindOf(service: string): string {
  return service.replace(/-\d$/, "");
}
