import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EdgeOptions } from "../../../edge/edge.ts";
import { parseConfig } from "../../../services/config.ts";
import { RoomError } from "../../../services/errors.ts";
import { createLog } from "../../../services/log.ts";
import { serviceRoutes } from "../../../services/room/rpc/routes.ts";
import { NOT_SAMPLED } from "../../../services/tracing.ts";
import { type OtlpOptions, type OtlpTracer, startOtlp } from "../../../services/tracing-otlp.ts";
import { type Collector, type ReceivedSpan, startCollector } from "../../support/collector.ts";
import { eventually } from "../../support/eventually.ts";
import { InProcess } from "../edge/in-process.ts";
import { startRpc } from "./rpc/rpc-fixture.ts";

let collector: Collector;
beforeAll(async () => {
  collector = await startCollector();
});
afterAll(() => collector.close());

function start(options: Partial<OtlpOptions> = {}): OtlpTracer {
  return startOtlp({
    endpoint: collector.url,
    headers: {},
    sampler: "parentbased_always_on",
    ratio: 1,
    resource: { "service.name": "test" },
    log: createLog({ level: "silent" }),
    ...options,
  });
}

const SEND = "baccarat.v1.RoomService/SendMessage";
/** The examples of W3C Trace Context, section 3.2. */
const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";
const CALLER = `00-${TRACE}-${PARENT}-01`;

const received = (name: string): ReceivedSpan[] => collector.spans.filter((span) => span.name === name);

describe("tracing", () => {
  it("sends spans with their parents, attributes and headers, and says what failed", async () => {
    const tracer = start({ headers: { "x-key": "k" }, resource: { "service.name": "here" } });
    const outer = tracer.begin("outer", { kind: "server", attributes: { "baccarat.room_id": "r" } });
    const inner = tracer.begin("inner", { kind: "client", parent: outer });
    inner.set({ n: 7 });
    inner.end(new RoomError("muted", "a text that stays here"));
    const far = tracer.begin("far", { kind: "consumer", parent: inner.context });
    far.end();
    outer.end();
    await tracer.close();
    const [a, b, c] = [received("outer")[0], received("inner")[0], received("far")[0]];
    expect(a).toMatchObject({ parentSpanId: "", attributes: { "baccarat.room_id": "r" }, status: 0 });
    expect(a?.resource).toMatchObject({ "service.name": "here" });
    expect(b).toMatchObject({ parentSpanId: a?.spanId, traceId: a?.traceId, status: 2 });
    expect(b?.attributes).toEqual({ n: 7, "error.type": "muted" });
    expect(c).toMatchObject({ parentSpanId: b?.spanId, traceId: a?.traceId });
    expect(collector.headers.at(-1)).toMatchObject({ "x-key": "k" });
    expect(collector.text).not.toContain("a text that stays here");
  });

  it("keeps a share of what begins here, and follows whoever decided before", async () => {
    const tracer = start({ sampler: "parentbased_traceidratio", ratio: 0 });
    const root = tracer.begin("unsampled", { kind: "server" });
    expect(root).toBe(NOT_SAMPLED);
    expect(tracer.begin("part", { kind: "client", parent: root })).toBe(NOT_SAMPLED);
    const from = (traceparent: string) => ({ traceparent, tracestate: "vendor=1" });
    const followed = tracer.begin("followed", { kind: "server", parent: from(CALLER) });
    expect(followed.context).toMatchObject({
      traceparent: expect.stringMatching(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`)),
      tracestate: "vendor=1",
    });
    followed.end();
    for (const parent of [CALLER.replace(/1$/, "0"), "", "00-zz-1-01", CALLER.replace("00-", "ff-")]) {
      expect(tracer.begin("other", { kind: "server", parent: from(parent) }), parent).toBe(NOT_SAMPLED);
    }
    await tracer.close();
    expect(received("followed")).toHaveLength(1);
  });

  it("warns when the collector is away, and stops all the same", async () => {
    const lines: string[] = [];
    const log = createLog({ level: "warn", output: { write: (line) => lines.push(line) } });
    const away = await startCollector();
    await away.close();
    const tracer = start({ endpoint: away.url, log });
    tracer.begin("lost", { kind: "server" }).end();
    await tracer.close();
    expect(lines.join()).toMatch(/tracing has trouble|the last spans were not sent/);
  });
});

describe("OTEL_* variables", () => {
  it("are read as OpenTelemetry writes them", () => {
    const parsed = parseConfig({
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318/",
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20a%2Cb, X-Tenant=7",
      OTEL_TRACES_SAMPLER: "always_on",
      OTEL_TRACES_SAMPLER_ARG: "0.25",
    });
    expect(parsed.ok && parsed.config).toMatchObject({
      otelExporterOtlpEndpoint: "http://127.0.0.1:4318",
      otelExporterOtlpHeaders: { authorization: "Bearer a,b", "x-tenant": "7" },
      otelTracesSampler: "always_on",
      otelTracesSamplerArg: 0.25,
    });
  });

  it.each([
    ["OTEL_EXPORTER_OTLP_HEADERS", "hunter2", "must be name=value,name=value"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "a=b%0d%0ac", "must be name=value,name=value"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "a=%ff", "must be name=value,name=value"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "a=%7f", "must be name=value,name=value"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317", '"localhost:4317" must be a URL like http://host:port'],
    ["OTEL_TRACES_SAMPLER_ARG", "1.5", '"1.5" must be a number from 0 to 1'],
    ["OTEL_TRACES_SAMPLER_ARG", "1e-3", '"1e-3" must be a number from 0 to 1'],
  ])("refuses %s=%s", (name, value, text) => {
    expect(parseConfig({ [name]: value })).toEqual({ ok: false, mistakes: [`${name}: ${text}`] });
  });
});

describe("a message in one process", () => {
  it("is one trace from frame to every edge, and carries nobody's words or names", async () => {
    const tracer = start();
    await using product = await InProcess.start({ tracer });
    const options: Partial<EdgeOptions> = { tracer };
    const edges = [await product.edge(options), await product.edge(options)] as const;
    const ann = await product.client(edges[0], { query: { room_id: "", username: "annabel" } });
    const bob = await product.client(edges[1]);
    for (const client of [ann, bob]) await client.request("join_room", { room_id: "traced" });
    const ack = await ann.say("traced", "words of hers");
    await bob.next("new_message");
    await ann.request("send_message", { room_id: "elsewhere", message: "x" }).catch(() => undefined);
    await eventually("both deliveries", () => received("deliver").length === 2);
    const [frame, failed] = received("frame send_message");
    const publish = received("publish").find((span) => span.traceId === frame?.traceId);
    expect(frame).toMatchObject({ parentSpanId: "", status: 0 });
    expect(publish).toMatchObject({
      parentSpanId: frame?.spanId,
      attributes: { "baccarat.room_id": "traced", "messaging.message.id": ack.message_id },
    });
    expect(received("store")).toMatchObject([{ parentSpanId: publish?.spanId, traceId: frame?.traceId }]);
    const deliveries = received("deliver");
    for (const delivery of deliveries) {
      expect(delivery).toMatchObject({ parentSpanId: publish?.spanId, traceId: frame?.traceId });
      expect(delivery.attributes).toMatchObject({ "messaging.message.id": ack.message_id });
    }
    expect(deliveries.map(({ attributes }) => attributes["baccarat.edge_id"]).sort()).toEqual(["edge-0", "edge-1"]);
    expect(failed).toMatchObject({ status: 2, attributes: { "error.type": "not_a_member" } });
    const join = received("frame join_room")[0];
    expect(received("attach join")[0]).toMatchObject({ traceId: join?.traceId, parentSpanId: join?.spanId });

    await using rpc = await startRpc(serviceRoutes(product.controlPlane), { tracer });
    const said = { room_id: "traced", message: "a service speaks" };
    await rpc.post("RoomService/SendMessage", said, { traceparent: CALLER });
    await rpc.post("RoomService/SendMessage", { room_id: "?" });
    await eventually("both calls and their deliveries", () => {
      return received(SEND).length === 2 && received("deliver").filter(({ traceId }) => traceId === TRACE).length === 2;
    });
    const call = received(SEND).find(({ traceId }) => traceId === TRACE);
    const published = received("publish").find(({ traceId }) => traceId === TRACE);
    expect(call).toMatchObject({ parentSpanId: PARENT, attributes: { "rpc.method": "SendMessage" }, status: 0 });
    expect(published?.parentSpanId).toBe(call?.spanId);
    const refused = received(SEND).find(({ traceId }) => traceId !== TRACE);
    expect(refused).toMatchObject({ status: 2, attributes: { "error.type": "invalid_argument" } });
    for (const word of ["a service speaks", "words of hers", "annabel", ann.uid, bob.uid])
      expect(collector.text).not.toContain(word);
  });
});
