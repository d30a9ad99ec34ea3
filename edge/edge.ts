import type { Socket } from "node:net";
import type { Transport } from "@connectrpc/connect";
import type { Broker } from "../broker/broker.ts";
import type { Cidr } from "../services/config-values.ts";
import { EventLoopLag } from "../services/event-loop.ts";
import type { RoomId } from "../services/ids.ts";
import type { Limits } from "../services/limits.ts";
import type { Logger } from "../services/log.ts";
import type { Metrics } from "../services/metrics.ts";
import type { KeyPair } from "../services/tls-files.ts";
import type { Tracer } from "../services/tracing.ts";
import type { ClientSocket } from "./client-socket.ts";
import { EdgeNode } from "./edge-node.ts";
import { refuse } from "./handshake.ts";
import { type Authenticator, GuestAuthenticator } from "./identity.ts";
import { type Proof, Revocations } from "./revocations.ts";
import { type AcceptedConnection, type EdgeServer, startEdgeServer } from "./server.ts";
import { SessionSigner } from "./session.ts";
import { loadSessionKey } from "./session-key.ts";
import { TokenAuthenticator, type TokenAuthenticatorOptions } from "./token-login.ts";

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
  /** Several edges of this machine listen on the port. Default false. */
  readonly reusePort?: boolean;
  /** Certificate of the listener. Default: no TLS. */
  readonly tls?: KeyPair | undefined;
  /** Origins allowed beside the listener's own; undefined for none. */
  readonly allowedOrigins: readonly string[] | undefined;
  /** Proxies whose X-Forwarded-For counts. */
  readonly trustProxy: readonly Cidr[];
  /** Folder of the page; undefined serves none. */
  readonly staticDir: string | undefined;
  /** Room the page proposes to whoever comes. Default: none. */
  readonly featuredRoom?: RoomId | undefined;
  /** Joined by those who name no room; undefined for none. */
  readonly defaultRoom: RoomId | undefined;
  readonly limits: Limits;
  /** What history shows of a room: the edge remembers no more. */
  readonly history: { readonly maxMessages: number; readonly maxAgeMs: number };
  /** Time over which clients are sent away before the edge closes, in milliseconds. Default 0: all at once. */
  readonly drainMs?: number;
  /** Checks clients' tokens. Default: everybody is let in as a guest. */
  readonly verifier?: TokenAuthenticatorOptions["verifier"] | undefined;
  /** Default: nothing is traced. */
  readonly tracer?: Tracer | undefined;
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
  /**
   * Takes nobody in any more, tells every client to go elsewhere (`reconnect`, spread over drainMs), answers what is under
   * way and closes who is still there with 1012. Idempotent.
   */
  close(): Promise<void>;
}

async function openAuthenticator({ verifier, broker }: EdgeOptions, revocations: Revocations): Promise<Authenticator> {
  const isRevoked = (uid: string, proof: Proof): boolean => revocations.has(uid, proof);
  if (verifier !== undefined) return new TokenAuthenticator({ verifier, isRevoked });
  const signer = new SessionSigner({ key: await loadSessionKey(broker.control) });
  return new GuestAuthenticator({ signer, isRevoked });
}

/** Starts an edge. @throws RoomError unavailable when the broker is, and whatever keeps it from listening. */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const { log } = options;
  const revocations = new Revocations();
  const authenticator = await openAuthenticator(options, revocations);
  const node = await EdgeNode.start({ ...options, authenticator, revocations });
  const { limits, metrics } = options;
  const loop = new EventLoopLag({ onMeasured: (lagMs) => metrics.eventLoopLagSeconds.set(lagMs / 1_000) });
  const late = () => (loop.lagMs > limits.maxEventLoopLagMs ? [`event loop ${Math.round(loop.lagMs)} ms late`] : []);
  let stopping: Promise<void> | undefined;
  let server: EdgeServer;
  try {
    server = await startEdgeServer({
      ...options,
      // It goes on listening while it drains, so that whoever is sent here meanwhile is told to try again at once.
      admit: () => {
        if (node.draining) return refuse(503, "this edge is draining", { "Retry-After": "1" });
        return late().length > 0 ? refuse(503, "this edge is overloaded", { "Retry-After": "2" }) : undefined;
      },
      onConnection: (webSocket: ClientSocket, socket: Socket, accepted: AcceptedConnection) =>
        node.accept(webSocket, socket, accepted),
    });
  } catch (error) {
    loop.close();
    await node.stop();
    throw error;
  }
  const stop = async (): Promise<void> => {
    await node.drain();
    server.close();
    await node.stop();
    server.close({ graceful: false });
    loop.close();
  };
  log.info({ port: server.port, url: server.url }, "edge listens");
  return {
    port: server.port,
    url: server.url,
    notReady: () => (node.draining ? ["draining"] : [...node.notReady(), ...late()]),
    close: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}
