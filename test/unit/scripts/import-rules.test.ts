import { describe, expect, it } from "vitest";
import { findViolations, parseImports } from "../../../scripts/import-rules.ts";

const DEPENDENCIES = new Set(["ws", "pino", "@nats-io/jetstream", "@connectrpc/connect", "@connectrpc/connect-node"]);

function check(path: string, text: string): string[] {
  return findViolations(new Map([[path, text]]), DEPENDENCIES);
}

describe("parseImports", () => {
  it("reads every form", () => {
    const text = `import "./a.ts";
import b from "./b.ts";
import type { C } from "./c.ts";
import {
  type D,
  e,
} from "./d.ts";
import * as f from "node:fs";
export { g } from "./g.ts";
export type { H } from "./h.ts";
export * from "./i.ts";
const j = await import("./j.ts");
// import k from "./k.ts";
/* import l from "./l.ts" */
export const m = "not from \\"./m.ts\\"";
`;
    expect(parseImports(text).map(({ specifier, typeOnly }) => (typeOnly ? `type ${specifier}` : specifier))).toEqual([
      "./a.ts",
      "./b.ts",
      "type ./c.ts",
      "./d.ts",
      "node:fs",
      "./g.ts",
      "type ./h.ts",
      "./i.ts",
      "./j.ts",
    ]);
  });
});

describe("findViolations", () => {
  it.each([
    ["main.ts", "./edge/edge.ts"],
    ["main.ts", "./services/room/control-plane.ts"],
    ["edge/edge.ts", "../broker/broker.ts"],
    ["edge/edge.ts", "../services/log.ts"],
    ["edge/server.ts", "ws"],
    ["edge/room-link.ts", "@connectrpc/connect-node"],
    ["services/room/presence.ts", "../../broker/broker.ts"],
    ["services/room/presence.ts", "../ids.ts"],
    ["services/room/rpc/server.ts", "@connectrpc/connect-node"],
    ["broker/nats.ts", "@nats-io/jetstream"],
    ["broker/embedded.ts", "node:sqlite"],
    ["broker/embedded.ts", "../services/errors.ts"],
    ["cli/roomctl.ts", "../client/client.ts"],
    ["test/e2e/a.test.ts", "../../edge/edge.ts"],
    ["bench/fan-out.ts", "ws"],
  ])("%s may import %s", (path, specifier) => expect(check(path, `import x from "${specifier}";\n`)).toEqual([]));

  it.each([
    ["services/publisher.ts", "../edge/edge.ts"],
    ["services/publisher.ts", "../broker/broker.ts"],
    ["services/publisher.ts", "./room/presence.ts"],
    ["services/room/presence.ts", "../../edge/edge.ts"],
    ["services/room/presence.ts", "../../broker/embedded.ts"],
    ["edge/edge.ts", "../services/room/presence.ts"],
    ["edge/edge.ts", "../broker/open.ts"],
    ["edge/edge.ts", "../broker/nats.ts"],
    ["edge/edge.ts", "../main.ts"],
    ["edge/hub.ts", "ws"],
    ["edge/hub.ts", "@connectrpc/connect-node"],
    ["edge/hub.ts", "pino"],
    ["broker/embedded.ts", "@nats-io/jetstream"],
    ["broker/nats.ts", "node:sqlite"],
    ["broker/nats.ts", "../services/room/presence.ts"],
    ["broker/nats.ts", "../edge/edge.ts"],
    ["client/client.ts", "../services/ids.ts"],
    ["client/client.ts", "../gen/baccarat/v1/frames_pb.ts"],
    ["web/main.ts", "../edge/frames.ts"],
    ["web/src/main.ts", "uplot"],
    ["web/src/main.ts", "@connectrpc/connect-web"],
    ["web/src/admin/api.ts", "../../../client/src/client.ts"],
    ["cli/roomctl.ts", "../edge/frames.ts"],
    ["cli/roomctl.ts", "../services/room/presence.ts"],
    ["gen/baccarat/v1/room_pb.ts", "../../../services/ids.ts"],
    ["edge/hub.ts", "left-pad"],
    ["edge/hub.ts", "node:process"],
  ])("%s must not import %s", (path, specifier) => {
    const found = check(path, `import x from "${specifier}";\n`);
    expect(found).toHaveLength(1);
    expect(found[0]?.startsWith(`${path}: `)).toBe(true);
  });

  it("lets types through where only types may pass", () => {
    expect(check("services/publisher.ts", 'import type { Broker } from "../broker/broker.ts";\n')).toEqual([]);
    expect(check("client/client.ts", 'import type { Welcome } from "../gen/baccarat/v1/frames_pb.ts";\n')).toEqual([]);
    expect(check("edge/hub.ts", 'import type { Logger } from "pino";\n')).toEqual([]);
    expect(check("edge/node.ts", 'import type { WebSocket } from "ws";\n')).toEqual([]);
    expect(check("edge/feed.ts", 'import type { Msg } from "@nats-io/jetstream";\n')).toHaveLength(1);
  });

  it("limits the length of files, but of generated ones", () => {
    const text = "\n".repeat(401);
    expect(check("edge/hub.ts", text)).toEqual(["edge/hub.ts: has 401 lines, more than 400; split it by concern"]);
    expect(check("edge/hub.ts", "\n".repeat(400))).toEqual([]);
    expect(check("gen/a_pb.ts", text)).toEqual([]);
  });

  it("keeps the process to main.ts", () => {
    expect(check("edge/hub.ts", "const a = 1;\nif (process.env.DEBUG) a;\n")).toEqual([
      "edge/hub.ts:2: only main.ts touches process",
    ]);
    for (const line of [
      "// as process.env",
      "/** process.env */",
      " * process.exit",
      'log("process.env")',
      "this.process.x",
    ]) {
      expect(check("edge/hub.ts", `${line}\n`), line).toEqual([]);
    }
    expect(check("main.ts", "process.exit();\n")).toEqual([]);
  });
});
