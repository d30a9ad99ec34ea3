import type { Edge } from "../../../gen/baccarat/v1/admin_service_pb.ts";

/** Lag over all edges: the mean, by how much each delivers, and the worst 99th percentile; undefined when nothing was. */
export function lagOf(edges: readonly Edge[]): { readonly meanMs: number; readonly p99Ms: number } | undefined {
  const busy = edges.flatMap(({ traffic }) => (traffic && traffic.deliveryLagP99Ms > 0 ? [traffic] : []));
  const deliveries = busy.reduce((sum, { deliveriesPerSecond }) => sum + deliveriesPerSecond, 0);
  if (deliveries === 0) return undefined;
  const weighed = busy.reduce((sum, traffic) => sum + traffic.deliveryLagMs * traffic.deliveriesPerSecond, 0);
  return { meanMs: weighed / deliveries, p99Ms: Math.max(...busy.map(({ deliveryLagP99Ms }) => deliveryLagP99Ms)) };
}
