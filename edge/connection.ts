import type { Socket } from "node:net";
import type { RawData } from "ws";
import { isModerator, type User } from "../services/auth.ts";
import { type Reason, RoomError, toRoomError } from "../services/errors.ts";
import type { RoomId } from "../services/ids.ts";
import { FIXED, type Limits } from "../services/limits.ts";
import { LEEWAY_MS } from "../services/tokens.ts";
import type { Span } from "../services/tracing.ts";
import type { ClientSocket, ClientSocketOwner } from "./client-socket.ts";
import { CLOSE_CODES, type CloseName } from "./close-codes.ts";
import type { ConnectionHost } from "./connection-host.ts";
import type { DirectListener } from "./direct-listener.ts";
import type { Expiring } from "./expiry-wheel.ts";
import { encodeError, encodeRoomLeft, textFrame } from "./frame-encoders.ts";
import { parseFrame } from "./frames.ts";
import type { Arrival } from "./greeting.ts";
import type { Accepted } from "./handshake.ts";
import type { Beating } from "./heartbeat.ts";
import type { Identity } from "./identity.ts";
import { type Inbound, Inbox, type InboxOwner } from "./inbox.ts";
import type { Member } from "./member.ts";
import { Memberships } from "./memberships.ts";
import { Outbox, type OutboxOwner } from "./outbox.ts";
import type { RateRule } from "./rate-limit.ts";
import type { AcceptedConnection } from "./server.ts";

/**
 * Where a connection stands. `awaiting-login`: who it is may still change, nobody else knows of it. `open`: it takes part.
 * `closing`: a Close frame is on its way, nothing else is read or written. `closed`: its socket is gone.
 */
type State =
  | { readonly tag: "awaiting-login" }
  | { readonly tag: "open"; readonly identity: Identity }
  | { readonly tag: "closing"; readonly code: number; readonly identity: Identity | undefined }
  | { readonly tag: "closed"; readonly identity: Identity | undefined };

/** How long a client that must log in may take, in milliseconds. */
const LOGIN_MS = 10_000;
/** How long a client that does not read may take to drain its queue before its socket is closed regardless; the closing handshake takes 3 s more. */
const DRAIN_MS = 6_000;
/** One client's connection: its identity, its rooms, what it says and what it hears. */
export class Connection implements Beating, Expiring, InboxOwner, OutboxOwner, ClientSocketOwner {
  readonly id: string;
  /** Where it comes from. */
  readonly address: string;
  /** The room it named when it connected: undefined for none, empty for no room at all. */
  readonly firstRoom: AcceptedConnection["roomId"];
  readonly connectedAtMs: number = Date.now();
  readonly outbox: Outbox;
  /** Rooms it is in. */
  readonly rooms = new Memberships();
  /** Its share of its user's direct messages; undefined until it takes part. */
  direct: DirectListener | undefined;
  readonly #host: ConnectionHost;
  readonly #webSocket: ClientSocket;
  readonly #socket: Socket;
  readonly #inbox: Inbox;
  #state: State = { tag: "awaiting-login" };
  #gone: PromiseWithResolvers<void> | undefined;
  #badFramesAt: number[] | undefined;

  constructor(options: {
    readonly id: string;
    readonly webSocket: ClientSocket;
    readonly socket: Socket;
    readonly accepted: AcceptedConnection;
    readonly host: ConnectionHost;
  }) {
    const { webSocket, socket, host } = options;
    this.id = options.id;
    this.address = options.accepted.address;
    this.firstRoom = options.accepted.roomId;
    this.#host = host;
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.outbox = new Outbox({
      socket,
      fanOut: host.fanOut,
      maxBytes: host.limits.maxOutboxBytes,
      owner: this,
    });
    this.#inbox = new Inbox(this);
    webSocket.tell(this);
    host.heartbeat.add(this);
  }

  /** Finds out who it is, then lets it take part. Never rejects. */
  async start(accepted: Accepted): Promise<void> {
    try {
      const arrival = await this.#identify(accepted);
      if (arrival === undefined || this.#state.tag !== "awaiting-login") return;
      const { identity, greeting } = arrival;
      this.#state = { tag: "open", identity };
      this.#expire(identity);
      await this.#host.onOpen(this, greeting);
      this.#inbox.start();
    } catch (error) {
      this.#host.log.debug({ err: error }, "a client could not be identified");
      // Only a client that is told apart from a fault of ours must not come back.
      this.close(error instanceof RoomError && error.reason === "unauthenticated" ? "unauthenticated" : "internal");
    }
  }

  /** Who it is; only while it takes part. @throws RoomError unauthenticated before and after. */
  get identity(): Identity {
    if (this.#state.tag !== "open") throw new RoomError("unauthenticated", "log in first");
    return this.#state.identity;
  }

  /** Who it was, once it does not take part any more; as identity before that. Undefined when it never did. */
  get lastKnown(): Identity | undefined {
    return this.#state.tag === "awaiting-login" ? undefined : this.#state.identity;
  }

  /** As identity, or undefined while it does not take part. */
  get identified(): Identity | undefined {
    return this.#state.tag === "open" ? this.#state.identity : undefined;
  }

  /** As identity. */
  get user(): User {
    return this.identity.user;
  }

  /** True while it takes part. */
  get isOpen(): boolean {
    return this.#state.tag === "open";
  }

  /** Resolves when its socket is gone. */
  get gone(): Promise<void> {
    this.#gone ??= Promise.withResolvers();
    if (this.#state.tag === "closed") this.#gone.resolve();
    return this.#gone.promise;
  }

  /** The room last joined and not left since. */
  get currentRoom(): RoomId | undefined {
    return this.rooms.last?.room.id;
  }

  get limits(): Limits {
    return this.#host.limits;
  }

  get frameRate(): RateRule {
    return this.#host.frameRate;
  }

  get bytesRead(): number {
    return this.#socket.bytesRead;
  }

  get paused(): boolean {
    return this.#inbox.paused;
  }

  /** Sends a frame to this client. */
  send(json: string): void {
    this.outbox.push(textFrame(json));
  }

  /** Sends an error, as the reply to frame `id` or as a push without one, and returns what it is to the client. */
  sendError(cause: unknown, requestType: string, id?: string): Reason {
    const error = toRoomError(cause, (unexpected, correlationId) => {
      this.#host.log.error({ err: unexpected, correlationId, requestType }, "a frame failed");
    });
    this.send(encodeError(error, requestType, id));
    return error.reason;
  }

  /** Carries nothing more out; resolves when what is under way has been answered. */
  finish(): Promise<void> {
    return this.#inbox.finish();
  }

  /** Cuts the connection off. */
  terminate(): void {
    this.#webSocket.terminate();
  }

  /** The same user has proved anew who it is: what its token says now counts from now on. False when it is too late. */
  relogin(identity: Identity): boolean {
    if (this.#state.tag !== "open") return false;
    this.#state = { tag: "open", identity };
    this.#expire(identity);
    for (const member of this.rooms.all()) {
      member.grant = { ...member.grant, moderator: isModerator(identity.user, member.room.id) };
    }
    return true;
  }

  /** It is in a room now, which becomes its current room. */
  enter(member: Member): void {
    this.rooms.add(member);
  }

  /** It is no longer in a room. False when it was not. */
  leave(room: RoomId): boolean {
    const member = this.rooms.take(room);
    member?.room.remove(member);
    return member !== undefined;
  }

  /** It was taken out of a room. */
  evict(room: RoomId, reason: string, by: string): void {
    if (this.leave(room)) this.send(encodeRoomLeft({ room, reason, by }));
  }

  /** Ends the connection with a close code; what was sent before still goes out. Idempotent. */
  close(name: CloseName): void {
    this.closeWith(CLOSE_CODES[name].code, CLOSE_CODES[name].reason);
  }

  /** As close, with words of an operator. */
  closeWith(code: number, reason: string): void {
    if (!this.#end(code)) return;
    this.#webSocket.resume(); // or the client's answer to the Close frame would not be read
    this.#webSocket.close(code, reason);
  }

  ping(): void {
    this.outbox.ping();
    this.direct?.pinged();
  }

  /** Part of ClientSocketOwner, as what follows. */
  onClosing(): void {
    this.outbox.close();
  }

  onPong(): void {
    this.direct?.ponged();
  }

  onControlFlood(): void {
    this.close("rate_limited");
  }

  onMessage(data: RawData, isBinary: boolean): void {
    if (this.#state.tag === "closing" || this.#state.tag === "closed") return;
    if (isBinary) this.close("unsupported_data");
    else this.#inbox.push(parseFrame(data.toString()));
  }

  onGone(code: number): void {
    const decided = this.#state.tag === "closing" ? this.#state.code : undefined;
    if (decided === undefined) this.#end(code);
    this.#state = { tag: "closed", identity: this.lastKnown };
    this.#gone?.resolve();
    this.#host.metrics.countClose(decided ?? code);
    this.#host.onGone(this, code);
  }

  onExpired(): void {
    this.close("token_expired");
  }

  onSilent(): void {
    this.close("heartbeat_timeout");
  }

  /** Who it is, once that is certain; undefined when the connection ended before. */
  async #identify(accepted: Accepted): Promise<Arrival | undefined> {
    const { authenticator } = this.#host;
    const identity = await authenticator.identify(accepted);
    if (identity?.provisional === false)
      return { identity, greeting: { id: undefined, since: undefined, isNew: false } };
    if (identity !== undefined) this.#host.welcome(this, identity);
    const loginBy = performance.now() + LOGIN_MS;
    for (;;) {
      const patienceMs = identity === undefined ? loginBy - performance.now() : FIXED.autoJoinWaitMs;
      const first = await this.#inbox.first(patienceMs);
      if (this.#state.tag !== "awaiting-login") return undefined;
      if (identity !== undefined && first?.type !== "login") return { identity, greeting: undefined };
      if (first === undefined) return void this.close("login_timeout");
      this.#inbox.dropFirst();
      const better = await this.#tryLogin(first, identity);
      if (better !== undefined) return better;
    }
  }

  async #tryLogin(first: Inbound, identity: Identity | undefined): Promise<Arrival | undefined> {
    try {
      if (first.type === "error") throw first.error;
      if (first.type !== "login") throw new RoomError("unauthenticated", "log in first");
      const better = await this.#host.authenticator.login(first, identity, true);
      const isNew = better.user.uid === identity?.user.uid;
      return { identity: better, greeting: { id: first.id, since: first.directSince, isNew } };
    } catch (error) {
      const reason = this.#answerError(first, error);
      // Who had to log in and could not is told to stop: coming back with the same token would be no better.
      if (first.type === "login" && identity === undefined && reason === "unauthenticated")
        this.close("unauthenticated");
      return identity && { identity, greeting: undefined };
    }
  }

  #expire({ token }: Identity): void {
    if (token !== undefined) this.#host.expiries.set(this, token.expiresAtMs + LEEWAY_MS);
  }

  /** Part of InboxOwner, as what follows. */
  run(frame: Inbound): void | Promise<void> {
    let span: Span | undefined;
    const ok = (): void => {
      span?.end();
      this.#count(frame, "ok");
    };
    const failed = (error: unknown): void => {
      span?.end(error);
      this.#answerError(frame, error);
    };
    try {
      if (frame.type === "error") throw frame.error;
      span = this.#host.tracer?.begin(`frame ${frame.type}`, { kind: "server" });
      const done = this.#host.execute(this, frame, span);
      if (done !== undefined) return done.then(ok, failed);
      ok();
    } catch (error) {
      failed(error);
    }
    return undefined;
  }

  takeShared(now: number): number | undefined {
    const uid = this.identified?.user.uid;
    return uid === undefined ? 0 : this.#host.userRates.take(uid, now);
  }

  sharedWaitMs(now: number): number {
    const uid = this.identified?.user.uid;
    return uid === undefined ? 0 : this.#host.userRates.waitMs(uid, now);
  }

  onFlood(): void {
    this.#host.metrics.rateLimitedTotal.inc({ action: "closed" });
    this.close("rate_limited");
  }

  pause(): void {
    this.#host.metrics.rateLimitedTotal.inc({ action: "paused" });
    this.#webSocket.pause();
  }

  resume(): void {
    this.#webSocket.resume();
  }

  onRefused(frame: Inbound, retryAfterMs: number): void {
    this.#host.metrics.rateLimitedTotal.inc({ action: "refused" });
    this.#answerError(frame, new RoomError("rate_limited", "you send too fast", { retryAfterMs }));
  }

  #answerError(frame: Inbound, cause: unknown): Reason {
    const reason = this.sendError(cause, frame.type === "error" ? frame.requestType : frame.type, frame.id);
    this.#count(frame, reason);
    if (reason === "bad_frame") this.#countBadFrame();
    return reason;
  }

  #count(frame: Inbound, outcome: string): void {
    this.#host.metrics.framesTotal.inc({ type: frame.type === "error" ? "invalid" : frame.type, outcome });
  }

  #countBadFrame(): void {
    const now = performance.now();
    this.#badFramesAt = [...(this.#badFramesAt ?? []).filter((at) => at > now - FIXED.badFrameWindowMs), now];
    if (this.#badFramesAt.length > FIXED.badFrames) this.close("bad_frames");
  }

  /** Its queue is full, so it cannot hear everything any more. It is told so as soon as it reads again, if it does in time. */
  onOverflow(): void {
    const { code, reason } = CLOSE_CODES.slow_consumer;
    if (!this.#end(code)) return;
    this.#host.metrics.outboxOverflowsTotal.inc();
    const close = (): void => {
      clearTimeout(timer);
      this.#webSocket.resume();
      this.#webSocket.close(code, reason);
    };
    const timer = setTimeout(close, DRAIN_MS);
    this.#socket.once("drain", close);
    this.#socket.once("close", () => clearTimeout(timer));
  }

  /** Takes it out of everything. False when that was done before. */
  #end(code: number): boolean {
    if (this.#state.tag === "closing" || this.#state.tag === "closed") return false;
    this.#inbox.close();
    this.outbox.close();
    this.#host.expiries.delete(this);
    const lastByteAt = this.#host.heartbeat.remove(this);
    for (const { room } of this.rooms.all()) this.leave(room.id);
    this.#host.onEnd(this, code, lastByteAt);
    this.#state = { tag: "closing", code, identity: this.lastKnown };
    return true;
  }
}
