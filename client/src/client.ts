import { Emitter } from "./emitter.ts";
import { Link, type WebSocketConstructor } from "./link.ts";
import { watchNetwork } from "./network.ts";
import { Room } from "./room.ts";
import type { ConnectionState, ConversationSummary, ErrorCode, Position, RoomEvent, Self } from "./types.ts";
import { RoomClientError } from "./types.ts";
import { camel, type Frame } from "./wire.ts";

/** How to make a RoomClient. */
export interface RoomClientOptions {
  /** Called before every connection and before a token ends: a JSON Web Token. Without it the client is a guest. */
  readonly getToken?: () => string | Promise<string>;
  /** A guest's display name and picture. */
  readonly username?: string;
  readonly avatarId?: string;
  /** Session of an earlier RoomClient (`session` event): gives a guest its uid back for 24 h. */
  readonly session?: string;
  /** Messages that may wait to be stored, over all rooms; one more fails with `queue_full`. Default 256. */
  readonly maxQueued?: number;
  /** How long to wait for an answer before trying again, in milliseconds. Default 10,000. */
  readonly requestTimeoutMs?: number;
  /** WebSocket implementation. Default: the global one. */
  readonly WebSocket?: WebSocketConstructor;
  /** Source of jitter, 0 ≤ x < 1. Default Math.random. */
  readonly random?: () => number;
  /** Where direct messages were last seen: what came later is delivered after the connection is made. */
  readonly directSince?: Position;
}

/** What the client tells. */
export interface RoomClientEvents {
  state: ConnectionState;
  /** Who the client is, after every connection. */
  self: Self;
  /** A guest's session, to be kept for a later RoomClient. */
  session: string;
  /** A direct message, of any conversation, one's own included. */
  direct: { readonly event: RoomEvent; readonly room: Room };
  /** The user's latest conversations, after every connection. */
  conversations: readonly ConversationSummary[];
  /** More direct messages were missed than are delivered: read these conversations' history, and with `moreRooms` perhaps others'. */
  truncated: { readonly rooms: readonly string[]; readonly moreRooms: boolean };
  /** An operator's words to everyone. */
  notice: { readonly message: string; readonly sent: string };
  /** Something failed that no call waits for, such as a token that could not be had. */
  error: Error;
}

/**
 * A connection to the cluster that heals itself. Rooms joined through it are joined again after every reconnect, and what
 * was missed is delivered before anything newer.
 */
export class RoomClient extends Emitter<RoomClientEvents> {
  readonly #options: RoomClientOptions;
  readonly #link: Link;
  readonly #rooms = new Map<string, Room>();
  /** First joins under way. */
  readonly #joins = new Map<string, Promise<{ room: Room; events: readonly RoomEvent[] }>>();
  #session: string | undefined;
  #self: Self | undefined;
  #state: ConnectionState = { name: "connecting" };
  #directSince: Position | undefined;
  /** What the latest login asked to be caught up from. */
  #caughtUpFrom: Position | undefined;
  /** Conversations to be read after what is known of them, on the next connection if not on this one. */
  readonly #behind = new Set<Room>();
  #epoch = "";
  #refresh: ReturnType<typeof setTimeout> | undefined;
  readonly #unlisten: () => void;

  /** Connects at once. `url` is the edge's, e.g. `wss://chat.example.com/ws`. */
  constructor(url: string, options: RoomClientOptions = {}) {
    super();
    this.#options = options;
    this.#session = options.session;
    this.#directSince = options.directSince;
    this.#link = new Link({
      url: guestUrl(url, options),
      WebSocket: options.WebSocket ?? (globalThis.WebSocket as unknown as WebSocketConstructor),
      requestTimeoutMs: options.requestTimeoutMs ?? 10_000,
      random: options.random ?? Math.random,
      login: (renew) => this.#login(renew),
      onWelcome: (welcome) => this.#welcome(welcome),
      onFrame: (frame) => this.#receive(frame),
      onState: (state) => this.#changed(state),
      onLost: () => this.#lost(),
    });
    this.#unlisten = watchNetwork(() => {
      this.#link.connect();
      void this.#link.probe();
    });
    this.#link.connect();
  }

  /** What the connection is doing. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** Who this client is; undefined until the first connection. */
  get self(): Self | undefined {
    return this.#self;
  }

  /** Where direct messages were last heard: what a later client's `directSince` takes. Undefined before the first one. */
  get directPosition(): Position | undefined {
    return this.#directSince;
  }

  /**
   * Joins a room and resolves once joined, with its latest `history` events (0–300, default 0) in `events`; waits while
   * offline or the cluster is not available. A room joined already is returned as it is. @throws RoomClientError as the server refuses, `closed`.
   */
  async join(
    roomId: string,
    options: { history?: number } = {},
  ): Promise<{ room: Room; events: readonly RoomEvent[] }> {
    const known = this.#rooms.get(roomId);
    if (known) return this.#joins.get(roomId) ?? { room: known, events: [] };
    const joining = this.#join(this.#room(roomId, options.history ?? 0));
    this.#joins.set(roomId, joining);
    return joining.finally(() => this.#joins.delete(roomId));
  }

  async #join(room: Room): Promise<{ room: Room; events: readonly RoomEvent[] }> {
    for (;;) {
      try {
        await this.#untilLive();
        return { room, events: await room.enter() };
      } catch (error) {
        if (!(error instanceof RoomClientError) || !WAITED_OUT.has(error.code) || this.#state.name === "closed") {
          this.#rooms.delete(room.id);
          throw error;
        }
        if (this.#link.live) await pause(error.retryAfterMs || REJOIN_MS);
      }
    }
  }

  /** The conversation with another user; its messages also come as `direct`. */
  direct(uid: string): Room {
    const self = this.#self?.uid;
    if (self === undefined)
      throw new RoomClientError("closed", "who this client is is known after the first connection");
    const id = self < uid ? `direct:${self}:${uid}` : `direct:${uid}:${self}`;
    return this.#rooms.get(id) ?? this.#room(id, CONVERSATION_EVENTS, uid);
  }

  /** The user's conversations, latest first. */
  async conversations(
    options: { pageSize?: number; pageToken?: string } = {},
  ): Promise<{ conversations: readonly ConversationSummary[]; nextPageToken: string }> {
    const { pageSize, pageToken = "" } = options;
    const page = { page_token: pageToken, ...(pageSize === undefined ? {} : { page_size: pageSize }) };
    return camel((await this.#link.request("get_conversations", page)).payload);
  }

  /** Stops a user's direct messages, or lets them through again. */
  async block(uid: string): Promise<void> {
    await this.#link.request("block_user", { uid });
  }
  async unblock(uid: string): Promise<void> {
    await this.#link.request("unblock_user", { uid });
  }

  /**
   * The server's clock when it answered, in milliseconds since the epoch: for countdowns, since the device's may be wrong.
   * @throws RoomClientError `closed` or `timeout`.
   */
  async serverTime(): Promise<number> {
    return Date.parse(String((await this.#link.request("ping", {})).payload.time));
  }

  /** Tries to connect now instead of at the end of the wait; does nothing while connected. */
  reconnectNow(): void {
    this.#link.connect();
  }

  /** Leaves every room and ends. What waits to be stored fails with `closed`. */
  close(): void {
    this.#link.stop(1000, "");
  }

  async #login(renew: boolean): Promise<Record<string, unknown> | undefined> {
    // A session the server takes no more is given up: the client comes back as a new guest, and tells by `self`.
    if (renew) this.#session = undefined;
    this.#caughtUpFrom = this.#directSince;
    const since = this.#directSince ? { direct_since: this.#directSince } : {};
    if (this.#options.getToken) return { token: await this.#options.getToken(), ...since };
    return this.#session === undefined ? undefined : { session: this.#session, ...since };
  }

  #welcome(frame: Frame): void {
    const welcome = camel<Self & Welcome>(frame.payload);
    this.#self = welcome;
    if (welcome.session && welcome.session !== this.#session) this.emit("session", welcome.session);
    this.#session = welcome.session || undefined;
    this.#planRefresh(welcome.tokenExpiresAt);
    this.emit("self", welcome);
    this.#enterEpoch(welcome.epoch);
    this.emit("conversations", welcome.direct);
    for (const { roomId, seq } of welcome.direct) this.#compare(roomId, seq);
  }

  /** Positions in a log that is gone mean nothing. Rooms learn that by joining again, conversations here. */
  #enterEpoch(epoch: string): void {
    const changed = this.#epoch !== "" && this.#epoch !== epoch;
    this.#epoch = epoch;
    if (!changed) return;
    this.#directSince = undefined;
    this.#caughtUpFrom = undefined;
    for (const room of this.#rooms.values()) if (room.withUid !== undefined) room.startOver("epoch_changed");
  }

  /** What is later than the login's position follows `welcome`; what a conversation lacks before that is read here. */
  #compare(roomId: string, seq: number): void {
    const room = this.#rooms.get(roomId);
    if (room?.position && room.position.seq < seq && seq <= (this.#caughtUpFrom?.seq ?? seq)) this.#behind.add(room);
  }

  /** The server delivers at most 100 missed events. The rest is read here, as far as it is known from where on. */
  #truncated({ rooms, moreRooms }: { rooms: readonly string[]; moreRooms: boolean }): void {
    const unknown = rooms.filter((roomId) => {
      const room = this.#rooms.get(roomId) ?? this.#conversation(roomId);
      if (room === undefined || !room.begin(this.#caughtUpFrom)) return true;
      this.#behind.add(room);
      this.#reenter(room);
      return false;
    });
    if (unknown.length > 0 || moreRooms) this.emit("truncated", { rooms: unknown, moreRooms });
  }

  #changed(state: ConnectionState): void {
    this.#state = state;
    if (state.name === "live") for (const room of this.#rooms.values()) this.#reenter(room);
    if (state.name === "closed") this.#end(state.reason);
    this.emit("state", state);
  }

  #reenter(room: Room): void {
    // The first join is awaited by join(), which tries again itself; a refusal of a later one is told as `left`.
    // Conversations are caught up by the server after `welcome`, but for what that leaves.
    if (!this.#behind.has(room) && !room.reloading && (room.withUid !== undefined || !room.entered)) return;
    room.enter().then(
      () => room.joined && this.#behind.delete(room),
      (error: Error) => this.emit("error", error),
    );
  }

  #lost(): void {
    clearTimeout(this.#refresh);
    for (const room of this.#rooms.values()) room.lost();
  }

  #end(reason: string): void {
    this.#unlisten();
    for (const room of this.#rooms.values())
      room.close(new RoomClientError("closed", reason || "the client was closed"));
    this.#rooms.clear();
  }

  #receive(frame: Frame): void {
    const roomId = frame.payload.room_id;
    if (frame.type === "notice") this.emit("notice", camel(frame.payload));
    else if (frame.type === "truncated") this.#truncated(camel(frame.payload));
    else if (typeof roomId === "string") (this.#rooms.get(roomId) ?? this.#conversation(roomId))?.receive(frame);
  }

  /** A conversation somebody else began. */
  #conversation(roomId: string): Room | undefined {
    const self = this.#self?.uid;
    const other = roomId.startsWith("direct:")
      ? roomId
          .slice(7)
          .split(":")
          .find((uid) => uid !== self)
      : undefined;
    return other === undefined ? undefined : this.#room(roomId, CONVERSATION_EVENTS, other);
  }

  #room(roomId: string, history: number, withUid?: string): Room {
    const room = new Room(
      roomId,
      {
        request: (type, payload, id) => this.#link.request(type, payload, id),
        live: () => this.#link.live,
        admit: () => this.#admit(),
        random: this.#options.random ?? Math.random,
        forget: (gone) => {
          this.#rooms.delete(gone.id);
          this.#behind.delete(gone);
        },
        uid: () => this.#self?.uid ?? "",
        epoch: () => this.#epoch,
        report: (error) => this.emit("error", error),
      },
      { history, withUid },
    );
    this.#rooms.set(roomId, room);
    if (withUid !== undefined) room.on("event", (event) => this.#heardDirect(event, room));
    return room;
  }

  #heardDirect(event: RoomEvent, room: Room): void {
    const last = this.#directSince;
    if (last?.epoch !== this.#epoch || last.seq < event.seq) this.#directSince = { epoch: this.#epoch, seq: event.seq };
    this.emit("direct", { event, room });
  }

  #admit(): void {
    const most = this.#options.maxQueued ?? 256;
    let queued = 0;
    for (const room of this.#rooms.values()) queued += room.queued;
    if (queued >= most) throw new RoomClientError("queue_full", `${most} messages wait to be stored`, true);
    if (this.#state.name === "closed")
      throw new RoomClientError("closed", this.#state.reason || "the client was closed");
  }

  #planRefresh(expiresAt: string | null): void {
    const { getToken } = this.#options;
    if (!getToken || !expiresAt) return;
    const wait = Math.max(1_000, Date.parse(expiresAt) - Date.now() - REFRESH_BEFORE_MS);
    this.#refresh = setTimeout(
      async () => {
        try {
          const reply = await this.#link.request("login", { token: await getToken() });
          this.#planRefresh(reply.payload.token_expires_at as string | null);
        } catch (error) {
          this.emit("error", error as Error);
          this.#planRefresh(expiresAt);
        }
      },
      Math.min(wait, LONGEST_TIMER_MS),
    );
  }

  async #untilLive(): Promise<void> {
    if (this.#state.name === "live") return;
    if (this.#state.name === "closed")
      throw new RoomClientError("closed", this.#state.reason || "the client was closed");
    await new Promise<void>((resolve, reject) => {
      const off = this.on("state", (state) => {
        if (state.name !== "live" && state.name !== "closed") return;
        off();
        if (state.name === "live") resolve();
        else reject(new RoomClientError("closed", state.reason || "the client was closed"));
      });
    });
  }
}

interface Welcome {
  readonly session: string;
  readonly tokenExpiresAt: string | null;
  readonly direct: readonly ConversationSummary[];
  readonly epoch: string;
}

/** A guest's first profile goes in the query, and the rooms are this client's to choose: an empty room_id joins none. */
function guestUrl(url: string, options: RoomClientOptions): string {
  const query = new URLSearchParams({ room_id: "" });
  if (options.username !== undefined) query.set("username", options.username);
  if (options.avatarId !== undefined) query.set("avatar_id", options.avatarId);
  return `${url}${url.includes("?") ? "&" : "?"}${query}`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Refusals of a join that pass by themselves; a full room is the application's to decide about. */
const WAITED_OUT: ReadonlySet<ErrorCode> = new Set(["closed", "timeout", "unavailable", "rate_limited"]);
const REJOIN_MS = 1_000;
/** Latest events told with a conversation's `reset`. */
const CONVERSATION_EVENTS = 50;
const REFRESH_BEFORE_MS = 30_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;
