import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SERVER_FRAME_TYPES } from "../../edge/frame-types.ts";
import { CLIENT_FRAME_TYPES } from "../../edge/frames.ts";
import { Cluster } from "../support/cluster.ts";
import { type ReplayHost, replay } from "../support/doc-replay.ts";
import { exampleTypes, type Place, type Script, scripts } from "../support/doc-script.ts";
import { ROOT } from "../support/process.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { JWT_ENV } from "../support/tokens.ts";
import { singleProcess, type Topology } from "../support/topology.ts";

const found = scripts(readFileSync(join(ROOT, "docs/protocol.md"), "utf8"));

describe("docs/protocol.md", () => {
  it("has an example of every frame, both ways", () => {
    const { sent, received } = exampleTypes(found);
    expect(CLIENT_FRAME_TYPES.filter((type) => !sent.has(type))).toEqual([]);
    expect(SERVER_FRAME_TYPES.filter((type) => !received.has(type))).toEqual([]);
    expect([...received].some((type) => type.includes("."))).toBe(true);
  });

  describe("for guests", () => replayed("guests", singleProcess()));

  describe("with tokens", () => replayed("tokens", singleProcess(JWT_ENV)));

  describe("when the edge loses its broker", () => {
    let link: TcpProxy | undefined;
    // So little history that what is missed during a short outage is gone from it.
    const env = { HISTORY_MAX_MESSAGES: "3" };
    const natsPorts = async (_: number, ports: readonly number[]): Promise<number[]> => {
      link ??= await TcpProxy.start(ports[0] ?? 0);
      return [link.port];
    };
    // Hooks run last to first: the edge must still have its link when it is stopped.
    afterAll(() => link?.close());
    replayed("cluster", new Cluster(env, { nats: 1, rooms: 1, edges: 1, natsPorts }), {
      cut: () => link?.refuse(),
      heal: () => link?.heal(),
    });
  });
});

function replayed(place: Place, topology: Topology, faults: Pick<ReplayHost, "cut" | "heal"> = {}): void {
  const here = found.filter((script) => script.place === place).map((script) => ({ line: script.line, script }));
  const [ending, going] = [here.filter(({ script }) => isLast(script)), here.filter(({ script }) => !isLast(script))];
  const host = (): ReplayHost => ({ edge: topology.edges[0] ?? "", rpc: topology.rpcs[0] ?? "", ...faults });

  beforeAll(() => topology.start(), 60_000);
  afterAll(() => topology.stop());
  const name = "line $line happens as documented";
  if (going.length > 0) it.concurrent.each(going)(name, ({ script }) => replay(script, host()));
  if (ending.length > 0) it.each(ending)(name, ({ script }) => replay(script, host()));
}

/** What stops the edge leaves nothing for others. */
function isLast({ steps }: Script): boolean {
  return steps.some((step) => step.kind === "rpc" && step.method === "AdminService/DrainEdge");
}
