import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { FIXED } from "../services/limits.ts";
import { Publisher } from "../services/publisher.ts";
import type { Span } from "../services/tracing.ts";
import type { ClientSocket } from "./client-socket.ts";
import { CLOSE_CODES, type CloseName, departure } from "./close-codes.ts";
import { execute } from "./commands.ts";
import { Connection } from "./connection.ts";
import type { ConnectionHost } from "./connection-host.ts";
import type { CommandContext } from "./context.ts";
import { Direct } from "./direct.ts";
import type { EdgeOptions } from "./edge.ts";
import { ExpiryWheel } from "./expiry-wheel.ts";
import { FanOut } from "./fan-out.ts";
import { type ConversationFields, encodeReconnect, encodeWelcome } from "./frame-encoders.ts";
import type { ParsedFrame } from "./frames.ts";
import type { Greeting } from "./greeting.ts";
import { Heartbeat } from "./heartbeat.ts";
import { Hub } from "./hub.ts";
import type { Authenticator, Identity } from "./identity.ts";
import { joinRoom } from "./join.ts";
import { Lease } from "./lease.ts";
import type { RateRule } from "./rate-limit.ts";
import { RateLimits } from "./rate-limits.ts";
import type { Revocations } from "./revocations.ts";
import { RoomLink, type Update } from "./room-link.ts";
import { type Registration, Roster } from "./roster.ts";
import type { AcceptedConnection } from "./server.ts";
import { sessionHash } from "./session.ts";
import { spread } from "./spread.ts";
import { traceDelivery } from "./trace-delivery.ts";
import { Traffic } from "./traffic.ts";
import { applyUpdate, type UpdateTargets } from "./updates.ts";

/** What is kept at hand of each room. */
const RING_EVENTS = 512;
/** Code of a connection whose client sent no Close frame. */
const NO_CLOSE_FRAME = 1006;
/** How long the memberships of a replaced connection last, so that its successor can take them over. */
const REPLACED_MS = 750;
/** How long a stop waits for answers under way, and then for clients to take their leave. */
const FINISH_MS = 2_000;
const CLOSE_MS = 1_000;
/** Clients of an edge that closes at once come back over this time: it may be the only one, and is about to start again. */
const COME_BACK_MS = 1_000;

/** What an EdgeNode needs. */
export interface NodeOptions extends EdgeOptions {
  readonly authenticator: Authenticator;
  /** Tokens that were taken back, which the node keeps up to date. */
  readonly revocations: Revocations;
}

/** An edge without its listener: connections, rooms, and the link to the control plane. */
export class EdgeNode implements ConnectionHost {
  readonly limits: ConnectionHost["limits"];
  readonly metrics: ConnectionHost["metrics"];
  readonly log: ConnectionHost["log"];
  readonly tracer: ConnectionHost["tracer"];
  readonly authenticator: Authenticator;
  readonly fanOut = new FanOut();
  readonly heartbeat = new Heartbeat();
  readonly expiries = new ExpiryWheel();
  readonly frameRate: RateRule;
  readonly userRates: RateLimits;
  readonly #options: NodeOptions;
  readonly #connections = new Map<string, Connection>();
  readonly #hub: Hub;
  readonly #direct: Direct;
  readonly #roster: Roster<Connection>;
  readonly #link: RoomLink;
  readonly #context: CommandContext;
  readonly #targets: UpdateTargets;
  #incarnation = newIncarnation();
  #lastConnection = 0;
  #lease: Lease;
  #traffic: Traffic;
  #wasAttached = false;
  #fenced = false;
  #drained: Promise<void> | undefined;
  #stopCollecting: () => void = () => undefined;

  /** Resolves when clients can be taken in. @throws RoomError unavailable. */
  static async start(options: NodeOptions): Promise<EdgeNode> {
    const node = new EdgeNode(options);
    try {
      await node.#direct.conversations.start();
    } catch (error) {
      await node.stop();
      throw error;
    }
    await node.#lease.renew();
    node.#stopCollecting = options.metrics.onRender(() => node.#collect());
    node.#link.start();
    return node;
  }

  private constructor(options: NodeOptions) {
    const { broker, limits, history, metrics, log, tracer, edgeId, authenticator } = options;
    const { fanOut } = this;
    this.#options = options;
    this.limits = limits;
    this.metrics = metrics;
    this.log = log;
    this.tracer = tracer;
    this.authenticator = authenticator;
    const { messagesPerSecondPerUser, messageBurstPerUser, joinsPerSecond, joinBurst } = limits;
    const maxWaitMs = FIXED.requestMs;
    this.frameRate = { perSecond: limits.messagesPerSecond, burst: limits.messageBurst, maxWaitMs };
    this.userRates = new RateLimits({ perSecond: messagesPerSecondPerUser, burst: messageBurstPerUser, maxWaitMs });
    const ring = { events: Math.min(RING_EVENTS, history.maxMessages), ageMs: history.maxAgeMs };
    const onTraced = tracer && traceDelivery({ tracer, fanOut, epoch: broker.epoch, edgeId });
    this.#hub = new Hub({ edgeId, broker, fanOut, ring, onTraced, metrics, log });
    this.#roster = new Roster({
      describe: (connection) => registrationOf(connection, edgeId),
      tell: (command) => this.#link.tell(command),
    });
    this.#link = new RoomLink({
      transports: options.transports,
      hello: () => ({ edgeId: options.edgeId, incarnation: this.#incarnation }),
      state: () => this.#roster.commands(),
      directSeq: () => this.#direct.conversations.position,
      onUpdate: (update) => this.#onUpdate(update),
      onChange: (attached) => this.#onLink(attached),
      log,
    });
    const welcome: CommandContext["welcome"] = (connection, id, direct) =>
      this.welcome(connection, connection.identity, id, direct);
    this.#direct = new Direct({ broker, link: this.#link, limits, welcome, onTraced, metrics, log });
    this.#lease = this.#newLease();
    this.#traffic = this.#newTraffic();
    this.#context = {
      broker,
      hub: this.#hub,
      link: this.#link,
      roster: this.#roster,
      publisher: new Publisher({ broker, tracer }),
      directPermits: this.#direct.permits,
      authenticator,
      limits,
      joinRates: new RateLimits({ perSecond: joinsPerSecond, burst: joinBurst, maxWaitMs: 0 }),
      metrics,
      log,
      welcome,
      relogin: (connection, identity) => this.#relogin(connection, identity),
    };
    this.#targets = {
      hub: this.#hub,
      roster: this.#roster,
      direct: this.#direct,
      revocations: options.revocations,
      log,
      connections: this.#connections,
      onAttached: (epoch) => this.#onAttached(epoch),
      onFenced: () => this.#onFenced(),
      onDrain: () => void this.drain().then(() => this.#closeAll("restart")),
    };
  }

  /** Why no client should be sent here now. */
  notReady(): readonly string[] {
    const health = this.#options.broker.health();
    // Later a control plane that is away does not count: all edges would be taken out for what members hardly notice.
    const reasons = this.#wasAttached ? [] : ["not attached to a RoomService yet"];
    if (this.#fenced) reasons.push("fenced: this edge was given up and begins anew");
    return health.ok ? reasons : [...reasons, `broker: ${health.reason}`];
  }

  /** Takes a connection in. */
  accept(webSocket: ClientSocket, socket: Socket, accepted: AcceptedConnection): void {
    const id = `${this.#incarnation}-${++this.#lastConnection}`;
    const connection = new Connection({ id, webSocket, socket, accepted, host: this });
    this.#connections.set(id, connection);
    this.log.info({ client: id }, "connection opened");
    this.metrics.connectionsTotal.inc();
    void connection.start(accepted);
  }

  welcome(connection: Connection, identity: Identity, id?: string, direct: readonly ConversationFields[] = []): void {
    const { user, token } = identity;
    const session = this.authenticator.secretOf(identity);
    const tokenExpiresAt = token && timestampFromMs(token.expiresAtMs);
    const { limits } = this;
    const { edgeId, broker } = this.#options;
    const own = { clientId: connection.id, edgeId, epoch: broker.epoch };
    connection.send(encodeWelcome({ ...user, ...own, session, tokenExpiresAt, direct, limits }, id));
  }

  async onOpen(connection: Connection, greeting: Greeting | undefined): Promise<void> {
    const { user, proof } = connection.identity;
    this.log.debug({ client: connection.id, uid: user.uid, address: connection.address }, "client known");
    // Taken back between its login and now.
    if (this.#options.revocations.has(user.uid, proof)) return connection.close("unauthenticated");
    const register = () => this.#roster.connected(connection.id, connection);
    await this.#direct.enter(connection, greeting, register);
    const room = connection.firstRoom ?? this.#options.defaultRoom;
    if (room === undefined || room === "") return;
    try {
      await joinRoom(this.#context, connection, { room, since: undefined, history: 0 }, undefined);
    } catch (error) {
      connection.sendError(error, "join_room");
    }
  }

  execute(connection: Connection, frame: ParsedFrame, span: Span | undefined): void | Promise<void> {
    return execute(this.#context, connection, frame, span);
  }

  onEnd(connection: Connection, code: number, lastByteAt: number): void {
    this.#direct.leave(connection);
    this.#roster.disconnected(connection.id, departure(code).reason, membershipsEndAt(code, lastByteAt));
  }

  onGone(connection: Connection, code: number): void {
    this.#direct.ended(connection, code !== NO_CLOSE_FRAME);
    this.#connections.delete(connection.id);
    const seconds = Math.round((Date.now() - connection.connectedAtMs) / 1_000);
    this.log.info({ client: connection.id, code, seconds }, "connection closed");
  }

  /** True once clients are sent away: from then on nobody is to be accepted. */
  get draining(): boolean {
    return this.#drained !== undefined;
  }

  /**
   * Sends every client away, spread over drainMs, and serves those who are still there until then. Resolves when all have
   * gone, or the time is over and what is under way was answered. Idempotent; never rejects.
   */
  drain(): Promise<void> {
    this.#drained ??= this.#drain(this.#options.drainMs ?? 0);
    return this.#drained;
  }

  /** Closes every connection with 1012. Memberships are left to the lease, so that who comes back elsewhere never left. */
  async stop(): Promise<void> {
    this.#lease.close();
    this.#traffic.close();
    // Before the roster is empty: attaching with nothing to say would take all members out.
    await this.#link.close();
    this.#roster.close();
    await this.#closeAll("restart");
    this.#stopCollecting();
    await this.#direct.close();
    this.#hub.close();
    this.heartbeat.close();
    this.expiries.close();
    this.fanOut.close();
  }

  #collect(): void {
    let bytes = 0;
    for (const { outbox } of this.#connections.values()) bytes += outbox.waiting;
    this.metrics.outboxBytes.set(bytes);
    this.metrics.connections.set(this.#connections.size);
  }

  async #drain(drainMs: number): Promise<void> {
    const connections = [...this.#connections.values()];
    this.log.info({ connections: connections.length, drainMs }, "draining");
    void this.#lease.renew();
    const delays = spread(connections.length, Math.max(drainMs, COME_BACK_MS));
    for (const [index, connection] of connections.entries()) {
      connection.send(encodeReconnect(delays[index] ?? 0, "draining"));
    }
    if (drainMs > 0) await before(drainMs, Promise.all(connections.map((connection) => connection.gone)));
    const left = [...this.#connections.values()];
    await before(FINISH_MS, Promise.all(left.map((connection) => connection.finish())));
  }

  /** Resolves when all sockets are gone; those that linger are cut off. */
  async #closeAll(name: CloseName): Promise<void> {
    const connections = [...this.#connections.values()];
    for (const connection of connections) connection.close(name);
    await before(CLOSE_MS, Promise.all(connections.map((connection) => connection.gone)));
    for (const connection of connections) connection.terminate();
  }

  #relogin(connection: Connection, identity: Identity): void {
    if (connection.relogin(identity)) this.#roster.changed(connection.id);
  }

  #onUpdate(update: Update): void {
    applyUpdate(this.#targets, update);
  }

  #onLink(attached: boolean): void {
    this.metrics.attached.set(attached ? 1 : 0);
    this.#hub.digests = attached;
    if (!attached) return;
    this.#wasAttached = true;
    this.#fenced = false;
    this.#direct.permits.expire();
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
    this.#fenced = true;
    this.#roster.clear();
    void this.#closeAll("edge_fenced");
    this.#lease.close();
    this.#traffic.close();
    this.#incarnation = newIncarnation();
    this.#lease = this.#newLease();
    this.#traffic = this.#newTraffic();
    void this.#lease.renew();
    this.#link.reattach();
  }

  #newTraffic(): Traffic {
    const { broker, metrics, log } = this.#options;
    return new Traffic({ control: broker.control, incarnation: this.#incarnation, metrics, log });
  }

  #newLease(): Lease {
    const { broker, edgeId, log } = this.#options;
    const connections = () => this.#connections.size;
    const draining = () => this.draining;
    return new Lease({ control: broker.control, edgeId, incarnation: this.#incarnation, connections, draining, log });
  }
}

function registrationOf(connection: Connection, edgeId: string): Registration {
  const { user, sid } = connection.lastKnown ?? connection.identity;
  const { uid, username, avatarId, guest, roles, rooms } = user;
  const connectTime = timestampFromMs(connection.connectedAtMs);
  const remoteAddr = connection.address;
  return {
    client: { clientId: connection.id, uid, username, avatarId, remoteAddr, edgeId, connectTime, guest },
    sessionHash: sid && sessionHash(sid),
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
