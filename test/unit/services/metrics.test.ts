import { describe, expect, it } from "vitest";
import { Metrics } from "../../../services/metrics.ts";

describe("Metrics", () => {
  it("declares every metric before anything has happened", async () => {
    const { text, contentType } = await new Metrics().render();
    expect(contentType).toContain("text/plain");
    const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`);
    expect(types.sort()).toEqual([
      "baccarat_attached gauge",
      "baccarat_broker_up gauge",
      "baccarat_closes_total counter",
      "baccarat_conflated_total counter",
      "baccarat_connections gauge",
      "baccarat_connections_total counter",
      "baccarat_deliveries_total counter",
      "baccarat_delivery_lag_seconds histogram",
      "baccarat_ephemeral_dropped_total counter",
      "baccarat_event_loop_lag_seconds gauge",
      "baccarat_fanout_batch histogram",
      "baccarat_frames_total counter",
      "baccarat_gaps_total counter",
      "baccarat_joins_total counter",
      "baccarat_outbox_bytes gauge",
      "baccarat_outbox_overflows_total counter",
      "baccarat_presence_transitions_total counter",
      "baccarat_publish_seconds histogram",
      "baccarat_publish_streams gauge",
      "baccarat_publishes_total counter",
      "baccarat_rate_limited_total counter",
      "baccarat_ready gauge",
      "baccarat_recoveries_total counter",
      "baccarat_refills_total counter",
      "baccarat_refused_total counter",
      "baccarat_rpc_seconds histogram",
      "baccarat_rpc_total counter",
      "baccarat_slow_watchers_total counter",
      "baccarat_sweeps_total counter",
      "baccarat_warnings gauge",
      "baccarat_watchers gauge",
    ]);
  });

  it("never names a room or a user", async () => {
    const { text } = await new Metrics().render();
    expect(text).not.toMatch(/room_id|uid|client_id|\{[^}]*(room|user)=/);
  });

  it("counts", async () => {
    const metrics = new Metrics();
    metrics.connections.set(3);
    metrics.framesTotal.inc({ type: "send_message", outcome: "ok" });
    metrics.publishSeconds.observe(0.003);
    const { text } = await metrics.render();
    expect(text).toContain("baccarat_connections 3");
    expect(text).toContain('baccarat_frames_total{type="send_message",outcome="ok"} 1');
    expect(text).toContain('baccarat_publish_seconds_bucket{le="0.005"} 1');
    expect(text).toContain('baccarat_publish_seconds_bucket{le="0.0025"} 0');
  });

  it("asks what is only known when it is wanted", async () => {
    const metrics = new Metrics();
    let bytes = 7;
    const stop = metrics.onRender(() => metrics.outboxBytes.set(bytes));
    expect((await metrics.render()).text).toContain("baccarat_outbox_bytes 7");
    bytes = 8;
    stop();
    expect((await metrics.render()).text).toContain("baccarat_outbox_bytes 7");
  });

  it("counts close codes that clients make up as one", async () => {
    const metrics = new Metrics();
    for (let code = 3_000; code < 5_000; code++) metrics.countClose(code);
    const { text } = await metrics.render();
    expect(text.match(/^baccarat_closes_total\{/gm)?.length).toBeLessThan(20);
    expect(text).toContain('baccarat_closes_total{code="4001"} 1');
    expect(text).toContain('baccarat_closes_total{code="other"} 1989');
  });

  it("keeps processes apart, and adds the process's own numbers when asked", async () => {
    const [one, other] = [new Metrics({ process: true }), new Metrics()];
    one.sweepsTotal.inc({ cause: "lost" });
    expect((await other.render()).text).toContain('baccarat_sweeps_total{cause="lost"} 0');
    const { text } = await one.render();
    for (const name of [
      "process_cpu_seconds_total",
      "process_resident_memory_bytes",
      "nodejs_eventloop_lag_p99_seconds",
    ]) {
      expect(text).toContain(`${name} `);
    }
  });
});
