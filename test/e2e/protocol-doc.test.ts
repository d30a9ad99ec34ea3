import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";
import { TestClient } from "../support/client.ts";
import { difference, type Script, scripts } from "../support/doc-script.ts";
import type { FrameType } from "../support/frame-types.ts";
import { ROOT } from "../support/process.ts";
import { RpcClient } from "../support/rpc.ts";
import { singleProcess } from "../support/topology.ts";

const found = scripts(readFileSync(join(ROOT, "docs/protocol.md"), "utf8"));
const topology = singleProcess();

beforeAll(() => topology.start());
afterAll(() => topology.stop());

describe("docs/protocol.md", () => {
  it.each(found.map((script) => ({ line: script.line, script })))("line $line happens as documented", ({ script }) =>
    replay(script),
  );
});

async function replay(script: Script): Promise<void> {
  const clients = new Map<string, TestClient>();
  const crowd: TestClient[] = [];
  const values = new Map<string, string>();
  const client = (name: string): TestClient => {
    const known = clients.get(name);
    if (!known) throw new Error(`client ${name} has not connected`);
    return known;
  };
  const fill = (text: string): string =>
    text.replace(/\$\{([\w.]+)\}/g, (_, name: string) => {
      const value = name === "direct" ? directRoom(values) : values.get(name);
      if (value === undefined) throw new Error(`nothing received says what ${name} is`);
      return value;
    });
  try {
    for (const step of script.steps) {
      if (step.kind === "connect") {
        const url = new URL(step.path, topology.edges[0]);
        clients.set(step.client, await TestClient.connect(url.origin, { query: Object.fromEntries(url.searchParams) }));
      } else if (step.kind === "crowd") await gather(crowd, step.size, step.path);
      else if (step.kind === "send") client(step.client).sendText(fill(step.frame));
      else if (step.kind === "rpc") await call(step.method, JSON.parse(fill(step.request)), step.times);
      else if (step.kind === "leave") await client(step.client).close();
      else if (step.kind === "closed") {
        const { code } = await client(step.client).closing();
        if (code !== step.code) throw new Error(`${step.client} was closed with ${code}, documented as ${step.code}`);
      } else await receive(client(step.client), step.client, JSON.parse(fill(step.frame)), values);
    }
  } finally {
    await Promise.all([...clients.values(), ...crowd].map((one) => one.close()));
  }
}

async function gather(crowd: TestClient[], size: number, path: string): Promise<void> {
  const url = new URL(path, topology.edges[0]);
  const query = Object.fromEntries(url.searchParams);
  const joining = Array.from({ length: size }, async () => {
    const client = await TestClient.connect(url.origin, { query });
    crowd.push(client);
    await client.next("room_joined");
  });
  await Promise.all(joining);
}

async function call(method: string, request: object, times: number): Promise<void> {
  const rpc = new RpcClient(String(topology.rpcs[0]));
  for (let count = 0; count < times; count++) await rpc.call(method, request);
}

interface Documented {
  readonly type: FrameType;
  readonly id?: string;
  readonly payload?: object;
}

/** Waits for the documented frame and remembers what later lines may refer to. */
async function receive(
  client: TestClient,
  name: string,
  documented: Documented,
  values: Map<string, string>,
): Promise<void> {
  const frame =
    documented.id === undefined
      ? await client.next(documented.type)
      : await client.reply(documented.id, documented.type);
  if (frame.type !== documented.type)
    throw new Error(`${JSON.stringify(frame)} came, documented as ${documented.type}`);
  const wrong = documented.payload === undefined ? undefined : difference(documented.payload, frame.payload);
  if (wrong !== undefined) throw new Error(`${documented.type}${wrong} in ${JSON.stringify(frame)}`);
  const payload = frame.payload as Record<string, unknown>;
  for (const key of ["uid", "session", "epoch", "edge_id"])
    if (frame.type === "welcome") values.set(`${name}.${key}`, String(payload[key]));
  if (frame.type === "room_joined") values.set(`${name}.epoch`, String(payload.epoch));
  if (frame.type === "new_message" && !values.has(`${name}.seq`)) values.set(`${name}.seq`, String(payload.seq));
}

function directRoom(values: Map<string, string>): string {
  return `direct:${[values.get("A.uid"), values.get("B.uid")].sort().join(":")}`;
}
