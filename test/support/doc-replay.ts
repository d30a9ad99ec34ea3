import { TestClient } from "./client.ts";
import { difference, type Script } from "./doc-script.ts";
import type { FrameType } from "./frame-types.ts";
import { RpcClient } from "./rpc.ts";
import { type Claims, token } from "./tokens.ts";

/** What a script is replayed on. */
export interface ReplayHost {
  /** Base URLs. */
  readonly edge: string;
  readonly rpc: string;
  /** Cuts the edge off from its broker, and ends that. Absent where that cannot be. */
  readonly cut?: () => void;
  readonly heal?: () => void;
}

/** Does what a script says. @throws Error that says what did not happen as documented. */
export async function replay(script: Script, host: ReplayHost): Promise<void> {
  const running = new Replay(host);
  try {
    for (const step of script.steps) await running.step(step);
  } finally {
    await running.end();
  }
}

class Replay {
  readonly #host: ReplayHost;
  readonly #clients = new Map<string, TestClient>();
  readonly #crowd: TestClient[] = [];
  /** What later lines may refer to: what was received, and tokens. */
  readonly #values = new Map<string, string>();

  constructor(host: ReplayHost) {
    this.#host = host;
  }

  async step(step: Script["steps"][number]): Promise<void> {
    switch (step.kind) {
      case "connect":
        this.#clients.set(step.client, await this.#connect(step.path));
        return;
      case "crowd":
        return this.#gather(step.size, step.path);
      case "send":
        return this.#client(step.client).sendText(this.#fill(step.frame));
      case "receive":
        return this.#receive(step.client, JSON.parse(this.#fill(step.frame)));
      case "rpc":
        return this.#call(step.method, JSON.parse(this.#fill(step.request)), step.times);
      case "token":
        this.#values.set(step.name, await token(JSON.parse(step.claims) as Claims));
        return;
      case "leave":
        await this.#client(step.client).close();
        return;
      case "closed":
        return this.#closed(step.client, step.code);
      default:
        return this.#break(step.kind);
    }
  }

  async end(): Promise<void> {
    await Promise.all([...this.#clients.values(), ...this.#crowd].map((client) => client.close()));
  }

  #client(name: string): TestClient {
    const known = this.#clients.get(name);
    if (!known) throw new Error(`client ${name} has not connected`);
    return known;
  }

  #fill(text: string): string {
    return text.replace(/\$\{([\w.]+)\}/g, (_, name: string) => {
      const value = name === "direct" ? this.#directRoom() : this.#values.get(name);
      if (value === undefined) throw new Error(`nothing received says what ${name} is`);
      return value;
    });
  }

  #directRoom(): string {
    return `direct:${[this.#values.get("A.uid"), this.#values.get("B.uid")].sort().join(":")}`;
  }

  #connect(path: string): Promise<TestClient> {
    const url = new URL(path, this.#host.edge);
    return TestClient.connect(url.origin, { query: Object.fromEntries(url.searchParams) });
  }

  async #gather(size: number, path: string): Promise<void> {
    const joining = Array.from({ length: size }, async () => {
      const client = await this.#connect(path);
      this.#crowd.push(client);
      await client.next("room_joined");
    });
    await Promise.all(joining);
  }

  async #call(method: string, request: object, times: number): Promise<void> {
    const rpc = new RpcClient(this.#host.rpc);
    for (let count = 0; count < times; count++) await rpc.call(method, request);
  }

  #break(how: "cut" | "heal"): void {
    const act = this.#host[how];
    if (act === undefined) throw new Error(`${how} is for scripts marked cluster`);
    act();
  }

  async #closed(name: string, documented: number): Promise<void> {
    const { code } = await this.#client(name).closing();
    if (code !== documented) throw new Error(`${name} was closed with ${code}, documented as ${documented}`);
  }

  /** Waits for the documented frame and remembers what later lines may refer to. */
  async #receive(name: string, documented: Documented): Promise<void> {
    const client = this.#client(name);
    const frame =
      documented.id === undefined
        ? await client.next(documented.type)
        : await client.reply(documented.id, documented.type);
    if (frame.type !== documented.type)
      throw new Error(`${JSON.stringify(frame)} came, documented as ${documented.type}`);
    const wrong = documented.payload === undefined ? undefined : difference(documented.payload, frame.payload);
    if (wrong !== undefined) throw new Error(`${documented.type}${wrong} in ${JSON.stringify(frame)}`);
    this.#remember(name, frame.type, frame.payload as Readonly<Record<string, unknown>>);
  }

  #remember(name: string, type: string, payload: Readonly<Record<string, unknown>>): void {
    const put = (key: string): unknown => this.#values.set(`${name}.${key}`, String(payload[key]));
    if (type === "welcome") for (const key of ["uid", "session", "epoch", "edge_id"]) put(key);
    if (type === "room_joined") put("epoch");
    if (type === "new_message" && !this.#values.has(`${name}.seq`)) put("seq");
  }
}

interface Documented {
  readonly type: FrameType;
  readonly id?: string;
  readonly payload?: object;
}
