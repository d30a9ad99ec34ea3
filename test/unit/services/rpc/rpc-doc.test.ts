import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type DescMethodStreaming, fromJsonString, type JsonValue, toJson } from "@bufbuild/protobuf";
import { createConnectTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { AdminService } from "../../../../gen/baccarat/v1/admin_service_pb.ts";
import { RoomService } from "../../../../gen/baccarat/v1/room_service_pb.ts";
import { REASONS } from "../../../../services/errors.ts";
import { createLog } from "../../../../services/log.ts";
import { edgeTransport } from "../../../../services/room/rpc/edge-transport.ts";
import { METHODS } from "../../../../services/room/rpc/methods.ts";
import { PATIENCE_MS } from "../../../support/eventually.ts";
import { EdgeStream } from "./edge-stream.ts";
import { startRoom } from "./room-fixture.ts";

const text = await readFile(join(import.meta.dirname, "../../../../docs/rpc.md"), "utf8");
/** Epoch of all examples, which is another one when they are replayed. */
const EPOCH = "427084052e32be37";
const examples = [...text.matchAll(/^```rpc (\S+)\n(.*)\n((?:\{.*\n)+)```$/gm)].map(
  ([, method = "", request = "", answers = ""]) => ({
    method,
    request,
    answers: answers
      .trimEnd()
      .split("\n")
      .map((answer) => JSON.parse(answer) as JsonValue),
  }),
);

describe("docs/rpc.md", () => {
  it("has an example of every method, under a heading with its scope", () => {
    const methods = [RoomService, AdminService].flatMap(({ name, methods }) =>
      methods.map((method) => `${name}/${method.name}`),
    );
    expect([...new Set(examples.map(({ method }) => method))].sort()).toEqual(methods.sort());
    for (const method of methods) {
      expect(text).toContain(`\n### ${method.split("/")[1]} (\`${METHODS[`baccarat.v1.${method}`]?.scope}\`)\n`);
    }
  });

  it("has answers that the server gives", async () => {
    await using rpc = await startRoom();
    const log = createLog({ level: "silent" });
    const transport = edgeTransport(rpc.controlPlane, { observer: { onCall: () => undefined }, log });
    await using edge = await EdgeStream.attach(transport, rpc.broker, "edge-1");
    await edge.join("percy", "c-1", "table.7");
    await edge.join("quinn", "c-2", "table.7");
    for (const { method, request, answers } of examples) {
      const asked = request.replaceAll(EPOCH, rpc.broker.epoch);
      const streamed = STREAMS.get(method);
      const given = streamed
        ? await streamedAnswers(rpc.url, streamed, asked, answers.length)
        : [(await rpc.post(method, asked)).body];
      expect(comparable(given), method).toEqual(comparable(answers));
    }
  });

  it("shows the code of examples/service as it is", async () => {
    const code = await readFile(join(import.meta.dirname, "../../../../examples/service/follow.ts"), "utf8");
    expect(text).toContain(`\n\`\`\`ts\n${code.slice(code.indexOf("/**"))}\`\`\`\n`);
  });

  it("has the registry's errors", () => {
    const rows = [...text.matchAll(/^\| `([A-Z_]+)` \| `([a-z_]+)` \| (\d+) \| (yes|no) \|/gm)];
    expect(rows.length).toBeGreaterThan(10);
    for (const [, reason = "", , , retryable] of rows) {
      const row = REASONS[reason.toLowerCase() as keyof typeof REASONS];
      expect([reason, row?.retryable ? "yes" : "no"]).toEqual([reason, retryable]);
    }
  });
});

const STREAMS: ReadonlyMap<string, DescMethodStreaming> = new Map(
  RoomService.methods
    .filter((method): method is typeof method & DescMethodStreaming => method.methodKind !== "unary")
    .map((method) => [`${RoomService.name}/${method.name}`, method]),
);

/** The first answers of a stream, as JSON. */
async function streamedAnswers(baseUrl: string, method: DescMethodStreaming, request: string, count: number) {
  const transport = createConnectTransport({ baseUrl, httpVersion: "2" });
  const leaving = new AbortController();
  async function* requests() {
    yield fromJsonString(method.input, request);
  }
  const { message } = await transport.stream(method, leaving.signal, PATIENCE_MS, undefined, requests());
  const answers: JsonValue[] = [];
  for await (const answer of message) {
    answers.push(toJson(method.output, answer, { useProtoFieldName: true, alwaysEmitImplicit: true }));
    if (answers.length === count) break;
  }
  leaving.abort();
  return answers;
}

/** Fields whose text is another each time. */
const CHANGING = /^(epoch|message_id|incarnation|sent|.*_time)$/;

/** The value without what differs from run to run: times, the log's identity, and every number. */
function comparable(value: unknown, field = ""): unknown {
  if (Array.isArray(value)) return value.map((item) => comparable(item));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, comparable(inner, name)]));
  }
  if (typeof value === "number") return "a number";
  return CHANGING.test(field) ? typeof value : value;
}
