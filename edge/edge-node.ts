import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { WebSocket } from "ws";
import { FIXED } from "../services/limits.ts";
import { Publisher } from "../services/publisher.ts";
import { CLOSE_CODES, type CloseName, departure } from "./close-codes.ts";
import { execute } from "./commands.ts";
import { Connection, type ConnectionHost } from "./connection.ts";
import type { CommandContext } from "./context.ts";
import { Conversations } from "./conversations.ts";
import type { EdgeOptions } from "./edge.ts";
import { FanOut } from "./fan-out.ts";
import { encodeWelcome } from "./frame-encoders.ts";
import type { ParsedFrame } from "./frames.ts";
import { Heartbeat } from "./heartbeat.ts";
import { Hub } from "./hub.ts";
import type { Authenticator, Identity } from "./identity.ts";
import { joinRoom } from "./join.ts";
import { Lease } from "./lease.ts";
import { Permits } from "./permits.ts";
import { RoomLink, type Update } from "./room-link.ts";
import { type Registration, Roster } from "./roster.ts";
import type { AcceptedConnection } from "./server.ts";
import { applyUpdate, type UpdateTargets } from "./updates.ts";

/** What is kept at hand of each room. */
const RING_EVENTS = 512;
const RING_CHARS = 1024 * 1024;
const CONVERSATIONS = 10_000;
/** How long the memberships of a replaced connection last, so that its successor can take them over. */
const REPLACED_MS = 750;
/** How long a stop waits for answers under way, and then for clients to take their leave. */
const FINISH_MS = 1_000;
const CLOSE_MS = 1_000;

/** An edge without its listener: connections, rooms, and the link to the control plane. */
export class EdgeNode implements ConnectionHost {
  readonly limits: ConnectionHost["limits"];
  readonly metrics: ConnectionHost["metrics"];
  readonly log: ConnectionHost["log"];
  readonly authenticator: Authenticator;
  readonly fanOut = new FanOut();
  readonly heartbeat = new Heartbeat();
  readonly #options: EdgeOptions;
  readonly #connections = new Map<string, Connection>();
  readonly #hub: Hub;
  readonly #conversations: Conversations;
  readonly #roster: Roster;
  readonly #link: RoomLink;
  readonly #context: CommandContext;
  readonly #targets: UpdateTargets;
  #incarnation = newIncarnation();
  #lastConnection = 0;
  #lease: Lease;
  #wasAttached = false;

  /** Resolves when clients can be taken in. @throws RoomError unavailable. */
  static async start(options: EdgeOptions & { readonly authenticator: Authenticator }): Promise<EdgeNode> {
    const node = new EdgeNode(options);
    try {
      await node.#conversations.start();
    } catch (error) {
      await node.stop();
      throw error;
    }
    await node.#lease.renew();
    node.#link.start();
    return node;
  }

  private constructor(options: EdgeOptions & { readonly authenticator: Authenticator }) {
    const { broker, limits, history, metrics, log, authenticator } = options;
    const { fanOut } = this;
    this.#options = options;
    this.limits = limits;
    this.metrics = metrics;
    this.log = log;
    this.authenticator = authenticator;
    const ring = { events: Math.min(RING_EVENTS, history.maxMessages), chars: RING_CHARS, ageMs: history.maxAgeMs };
    this.#hub = new Hub({ broker, fanOut, ring, metrics, log });
    this.#conversations = new Conversations({ broker, metrics, log });
    this.#roster = new Roster({ tell: (command) => this.#link.tell(command) });
    this.#link = new RoomLink({
      transports: options.transports,
      hello: () => ({ edgeId: options.edgeId, incarnation: this.#incarnation }),
      state: () => this.#roster.commands(),
      onUpdate: (update) => this.#onUpdate(update),
      onChange: (attached) => this.#onLink(attached),
      log,
    });
    this.#lease = this.#newLease();
    this.#context = {
      broker,
      hub: this.#hub,
      link: this.#link,
      roster: this.#roster,
      publisher: new Publisher({ broker }),
      conversationPermits: new Permits({ max: CONVERSATIONS }),
      authenticator,
      limits,
      metrics,
      welcome: (connection, identity, id) => this.welcome(connection, identity, id),
    };
    this.#targets = {
      hub: this.#hub,
      roster: this.#roster,
      conversations: this.#conversations,
      connections: this.#connections,
      onAttached: (epoch) => this.#onAttached(epoch),
      onFenced: () => this.#onFenced(),
    };
  }

  /** Why no client should be sent here now. */
  notReady(): readonly string[] {
    const health = this.#options.broker.health();
    // Later a control plane that is away does not count: all edges would be taken out for what members hardly notice.
    const reasons = this.#wasAttached ? [] : ["not attached to a RoomService yet"];
    return health.ok ? reasons : [...reasons, `broker: ${health.reason}`];
  }

  /** Takes a connection in. */
  accept(webSocket: WebSocket, socket: Socket, accepted: AcceptedConnection): void {
    const id = `${this.#incarnation}-${++this.#lastConnection}`;
    const connection = new Connection({ id, webSocket, socket, accepted, host: this });
    this.#connections.set(id, connection);
    webSocket.once("close", () => {
      this.#connections.delete(id);
      this.metrics.connections.set(this.#connections.size);
    });
    this.metrics.connectionsTotal.inc();
    this.metrics.connections.set(this.#connections.size);
    void connection.start();
  }

  welcome(connection: Connection, { user, session, expiresAtMs }: Identity, id?: string): void {
    const tokenExpiresAt = expiresAtMs === undefined ? undefined : timestampFromMs(expiresAtMs);
    const { limits } = this;
    const { edgeId, broker } = this.#options;
    const own = { clientId: connection.id, edgeId, epoch: broker.epoch };
    connection.send(encodeWelcome({ ...user, ...own, session, tokenExpiresAt, direct: [], limits }, id));
  }

  async onOpen(connection: Connection): Promise<void> {
    const { user } = connection;
    this.#roster.connected(connection.id, registrationOf(connection, this.#options.edgeId));
    this.#conversations.add(user.uid, connection.outbox);
    const room = connection.accepted.roomId ?? this.#options.defaultRoom;
    if (room === undefined || room === "") return;
    try {
      await joinRoom(this.#context, connection, { room, since: undefined, history: 0 }, undefined);
    } catch (error) {
      connection.sendError(error, "join_room");
    }
  }

  execute(connection: Connection, frame: ParsedFrame): void | Promise<void> {
    return execute(this.#context, connection, frame);
  }

  onEnd(connection: Connection, code: number, lastByteAt: number): void {
    if (connection.isOpen) this.#conversations.remove(connection.user.uid, connection.outbox);
    this.#roster.disconnected(connection.id, departure(code).reason, membershipsEndAt(code, lastByteAt));
  }

  /** Answers what is under way, then closes every connection with 1012. Memberships are left to the lease. */
  async stop(): Promise<void> {
    const connections = [...this.#connections.values()];
    await before(FINISH_MS, Promise.all(connections.map((connection) => connection.finish())));
    this.#lease.close();
    // Before the roster is empty: attaching with nothing to say would take all members out.
    await this.#link.close();
    this.#roster.close();
    await this.#closeAll("restart");
    this.#conversations.close();
    this.#hub.close();
    this.heartbeat.close();
    this.fanOut.close();
  }

  /** Resolves when all sockets are gone; those that linger are cut off. */
  async #closeAll(name: CloseName): Promise<void> {
    const connections = [...this.#connections.values()];
    for (const connection of connections) connection.close(name);
    await before(CLOSE_MS, Promise.all(connections.map((connection) => connection.gone)));
    for (const connection of connections) connection.terminate();
  }

  #onUpdate(update: Update): void {
    applyUpdate(this.#targets, update);
  }

  #onLink(attached: boolean): void {
    this.#hub.digests = attached;
    if (!attached) return;
    this.#wasAttached = true;
    // What was stored while nobody sent digests is in none.
    this.#hub.checkAll();
  }

  #onAttached(epoch: string): void {
    const { broker } = this.#options;
    if (epoch !== broker.epoch) this.log.error({ epoch, own: broker.epoch }, "RoomService serves another log");
  }

  /** The others took this edge for dead and its members out: it begins anew, and its clients come back by themselves. */
  #onFenced(): void {
    this.log.error({ incarnation: this.#incarnation }, "this edge was fenced: closing its connections");
    this.#roster.clear();
    void this.#closeAll("edge_fenced");
    this.#lease.close();
    this.#incarnation = newIncarnation();
    this.#lease = this.#newLease();
    void this.#lease.renew();
    this.#link.reattach();
  }

  #newLease(): Lease {
    const { broker, edgeId, log } = this.#options;
    const connections = () => this.#connections.size;
    return new Lease({ control: broker.control, edgeId, incarnation: this.#incarnation, connections, log });
  }
}

function registrationOf(connection: Connection, edgeId: string): Registration {
  const { user, sessionHash } = connection.identity;
  const { uid, username, avatarId, guest, roles, rooms } = user;
  const connectTime = timestampFromMs(connection.connectedAtMs);
  const remoteAddr = connection.accepted.address;
  return {
    client: { clientId: connection.id, uid, username, avatarId, remoteAddr, edgeId, connectTime, guest },
    sessionHash,
    roles: [...roles],
    rooms: [...(rooms ?? [])],
    roomsLimited: rooms !== undefined,
  };
}

/** When a connection's memberships end, by performance.now(). */
function membershipsEndAt(code: number, lastByteAt: number): number {
  // The user is back on another connection, which is about to join: leaving first would show as a flicker.
  if (code === CLOSE_CODES.replaced.code) return performance.now() + REPLACED_MS;
  return departure(code).grace ? lastByteAt + FIXED.graceMs : 0;
}

/** Unique over time: what it names never comes back. */
function newIncarnation(): string {
  return randomBytes(12).toString("hex");
}

/** Resolves when `promise` does, or after `ms`. */
async function before(ms: number, promise: Promise<unknown>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([promise, late]);
  clearTimeout(timer);
}
