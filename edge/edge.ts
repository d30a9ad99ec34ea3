import type { Socket } from "node:net";
import type { Transport } from "@connectrpc/connect";
import type { WebSocket } from "ws";
import type { Broker } from "../broker/broker.ts";
import type { Cidr } from "../services/config-values.ts";
import type { RoomId } from "../services/ids.ts";
import type { Limits } from "../services/limits.ts";
import type { Logger } from "../services/log.ts";
import type { Metrics } from "../services/metrics.ts";
import { EdgeNode } from "./edge-node.ts";
import { refuse } from "./handshake.ts";
import { type Authenticator, GuestAuthenticator } from "./identity.ts";
import { type AcceptedConnection, type EdgeServer, startEdgeServer } from "./server.ts";
import { SessionSigner } from "./session.ts";
import { loadSessionKey } from "./session-key.ts";

/** What an edge needs. */
export interface EdgeOptions {
  /** Not closed by the edge. */
  readonly broker: Broker;
  /** RoomServices to attach to, one at a time. */
  readonly transports: readonly Transport[];
  /** Name of this edge, the same after a restart. */
  readonly edgeId: string;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Origins allowed beside the listener's own; undefined for none. */
  readonly allowedOrigins: readonly string[] | undefined;
  /** Proxies whose X-Forwarded-For counts. */
  readonly trustProxy: readonly Cidr[];
  /** Folder of the page; undefined serves none. */
  readonly staticDir: string | undefined;
  /** Joined by those who name no room; undefined for none. */
  readonly defaultRoom: RoomId | undefined;
  readonly limits: Limits;
  /** What history shows of a room: the edge remembers no more. */
  readonly history: { readonly maxMessages: number; readonly maxAgeMs: number };
  /** Who clients are. Default: guests. */
  readonly authenticator?: Authenticator;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** A running edge. */
export interface Edge {
  readonly port: number;
  /** Where the page is, such as http://127.0.0.1:3000. */
  readonly url: string;
  /** Why no client should be sent here now; empty when ready. */
  notReady(): readonly string[];
  /** Takes nobody in any more, answers what is under way, closes every connection with 1012. Idempotent. */
  close(): Promise<void>;
}

/** Starts an edge. @throws RoomError unavailable when the broker is, and whatever keeps it from listening. */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const { broker, log } = options;
  const authenticator =
    options.authenticator ??
    new GuestAuthenticator({ signer: new SessionSigner({ key: await loadSessionKey(broker.control) }) });
  const node = await EdgeNode.start({ ...options, authenticator });
  let stopping: Promise<void> | undefined;
  let server: EdgeServer;
  try {
    server = await startEdgeServer({
      ...options,
      admit: () => (stopping ? refuse(503, "this edge is stopping", { "Retry-After": "1" }) : undefined),
      onConnection: (webSocket: WebSocket, socket: Socket, accepted: AcceptedConnection) =>
        node.accept(webSocket, socket, accepted),
    });
  } catch (error) {
    await node.stop();
    throw error;
  }
  const stop = async (): Promise<void> => {
    server.close();
    await node.stop();
    server.close({ graceful: false });
  };
  log.info({ port: server.port, url: server.url }, "edge listens");
  return {
    port: server.port,
    url: server.url,
    notReady: () => (stopping ? ["stopping"] : node.notReady()),
    close: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}
