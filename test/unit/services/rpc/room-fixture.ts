import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Broker } from "../../../../broker/broker.ts";
import { openEmbeddedBroker } from "../../../../broker/embedded.ts";
import { DEFAULT_LIMITS } from "../../../../services/limits.ts";
import { createLog } from "../../../../services/log.ts";
import { Metrics } from "../../../../services/metrics.ts";
import { type ControlPlane, openControlPlane } from "../../../../services/room/control-plane.ts";
import { serviceRoutes } from "../../../../services/room/rpc/routes.ts";
import type { RpcServerOptions } from "../../../../services/room/rpc/server.ts";
import { type RpcFixture, startRpc } from "./rpc-fixture.ts";

/** An RPC server over a real control plane and the embedded broker in a directory of its own. */
export interface RoomFixture extends RpcFixture {
  readonly broker: Broker;
  readonly controlPlane: ControlPlane;
  /** What the control plane counts. */
  readonly metrics: Metrics;
}

/** Starts everything; disposing stops it, last started first, and deletes the directory. */
export async function startRoom(options: Partial<RpcServerOptions> = {}, maxMessages = 1_000): Promise<RoomFixture> {
  await using stack = new AsyncDisposableStack();
  const log = createLog({ level: "silent" });
  const dataDir = await mkdtemp(join(tmpdir(), "rpc-"));
  stack.defer(() => rm(dataDir, { recursive: true }));
  const retention = { maxMessages, maxAgeMs: 3_600_000, maxBytes: 1_000_000_000 };
  const broker = await openEmbeddedBroker({ dataDir, retention, log });
  stack.defer(() => broker.close());
  const metrics = new Metrics();
  const controlPlane = await openControlPlane({ broker, limits: DEFAULT_LIMITS, roomCreation: "open", log, metrics });
  stack.defer(() => controlPlane.close());
  const rpc = await startRpc(serviceRoutes(controlPlane), options);
  stack.defer(() => rpc[Symbol.asyncDispose]());
  const owned = stack.move();
  return { ...rpc, broker, controlPlane, metrics, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
