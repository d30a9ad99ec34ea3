import { Emitter } from "./emitter.ts";
import { Lane } from "./lane.ts";
import type { RoomEvents } from "./room-events.ts";
import { Roster } from "./roster.ts";
import { Snapshot } from "./snapshot.ts";
import { Standing } from "./standing.ts";
import type {
  CustomEvent,
  HistoryPage,
  Member,
  MembersPage,
  Message,
  ModerationOptions,
  MuteChange,
  Position,
  RoomEvent,
  RoomSettings,
  TimedModerationOptions,
} from "./types.ts";
import { RoomClientError } from "./types.ts";
import { camel, type Frame, type RoomJoined, readEvent } from "./wire.ts";

/** What a room needs from its client. */
export interface RoomContext {
  readonly request: (type: string, payload: Record<string, unknown>, id?: string) => Promise<Frame>;
  readonly live: () => boolean;
  /** Room for one more message in the client's queue? Throws `queue_full` when not. */
  readonly admit: () => void;
  readonly random: () => number;
  readonly forget: (room: Room) => void;
  /** This client's user; empty before the first connection. */
  readonly uid: () => string;
  /** Epoch of the log this connection reads. */
  readonly epoch: () => string;
  /** Hears a failure that no call waits for. */
  readonly report: (error: Error) => void;
}

/**
 * A room, or a direct conversation. What its listeners hear has no hole and no duplicate, whatever the connection does;
 * where that cannot be, `reset` says so.
 */
export class Room extends Emitter<RoomEvents> {
  readonly id: string;
  /** Set for a direct conversation: the other user. */
  readonly withUid: string | undefined;
  readonly #context: RoomContext;
  readonly #lane: Lane;
  readonly #snapshot = new Snapshot();
  readonly #history: number;
  #position: Position | undefined;
  /** The server has this connection in the room. */
  #joined = false;
  /** Joined or heard of at least once, so that listeners show something. */
  #entered = false;
  /** Latest event that came while a join was under way. */
  #overheard = 0;
  /** Why the latest events are to be loaded anew, until they are; empty: they are not. */
  #lostBy = "";
  #joining: Promise<readonly RoomEvent[]> | undefined;
  readonly #roster = new Roster();
  readonly #standing: Standing;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(id: string, context: RoomContext, options: { history: number; withUid?: string | undefined }) {
    super();
    this.id = id;
    this.withUid = options.withUid;
    this.#context = context;
    this.#history = options.history;
    this.#standing = new Standing(id);
    this.#lane = new Lane({
      request: (payload, messageId) => context.request("send_message", payload, messageId),
      ready: () => context.live() && (this.#joined || this.withUid !== undefined),
      random: context.random,
    });
  }

  /** Last position seen: what to keep for a later `since`. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** True once the first join was answered. For RoomClient. */
  get entered(): boolean {
    return this.#entered;
  }

  /** True while a join of this connection holds. For RoomClient. */
  get joined(): boolean {
    return this.#joined;
  }

  /**
   * The room's state as services keep it: the latest event of each snapshot key, as of the last event heard. Up to date
   * when listeners of that event run; after `reset` it is another one.
   */
  get snapshot(): ReadonlyMap<string, CustomEvent> {
    return this.#snapshot.latest;
  }

  /** How many members the room has, and the first hundred of them. */
  get count(): number {
    return this.#roster.count;
  }
  get knownMembers(): readonly Member[] {
    return this.#roster.members;
  }

  /** The room's settings; the defaults until the first join was answered. */
  get settings(): RoomSettings {
    return this.#standing.settings;
  }

  /** True when this client's token makes it a moderator of the room, who writes in a frozen room and without slow mode. */
  get moderator(): boolean {
    return this.#standing.moderator;
  }

  /** Set when this user may not write in the room: until when, RFC 3339, or null until it is lifted. */
  get muted(): { readonly until: string | null } | undefined {
    return this.#standing.muted;
  }

  /** How many of this room's messages wait to be stored. */
  get queued(): number {
    return this.#lane.size;
  }

  /**
   * Sends a message and resolves once it is stored. While offline it waits, and it is retried with the same id until the
   * server answered: stored exactly once. @throws RoomClientError as the server refuses, `queue_full`, `timeout`, `closed`.
   */
  async send(text: string, options: { imageUrl?: string; from?: string; id?: string } = {}): Promise<Message> {
    this.#context.admit();
    const target = this.withUid === undefined ? { room_id: this.id } : { to_uid: this.withUid };
    const image = options.imageUrl === undefined ? {} : { image_url: options.imageUrl };
    const from = options.from === undefined ? {} : { from: options.from };
    const ack = await this.#lane.push({ message: text, ...target, ...image, ...from }, options.id);
    return camel<Message>({ ...ack.payload, message: text, ...image, ...from, client_msg_id: ack.id });
  }

  /** Reads stored events: the latest `limit` (1–300, default 50) before `beforeSeq`, or the earliest after `afterSeq`. */
  async history(options: { beforeSeq?: number; afterSeq?: number; limit?: number } = {}): Promise<HistoryPage> {
    const reply = await this.#context.request("get_history", {
      room_id: this.id,
      ...(options.beforeSeq === undefined ? {} : { before_seq: options.beforeSeq }),
      ...(options.afterSeq === undefined ? {} : { after_seq: options.afterSeq }),
      ...(options.limit === undefined ? {} : { limit: options.limit }),
    });
    return { events: readEvents(reply.payload.events), hasMore: reply.payload.has_more === true };
  }

  /** Reads members, in the order of their uids; `pageToken` as the last page gave it. */
  async members(options: { pageSize?: number; pageToken?: string } = {}): Promise<MembersPage> {
    const { pageSize, pageToken = "" } = options;
    const page = {
      room_id: this.id,
      page_token: pageToken,
      ...(pageSize === undefined ? {} : { page_size: pageSize }),
    };
    return camel<MembersPage>((await this.#context.request("get_members", page)).payload);
  }

  /** Tells the others that the user is typing; at most once per 2 s is heard, the rest is dropped here. */
  typing(): void {
    const now = Date.now();
    if (now - this.#typedAt < TYPING_MS || !this.#context.live()) return;
    this.#typedAt = now;
    // Nobody waits for this one: a lost hint is no loss.
    this.#context.request("typing", { room_id: this.id }).catch(() => undefined);
  }
  #typedAt = 0;

  /** Deletes a message: one's own, or any as a moderator. */
  async delete(seq: number): Promise<void> {
    await this.#context.request("delete_message", { room_id: this.id, seq });
  }

  /** Takes a user out, who may come back. For moderators who are in the room, as everything down to `update`. */
  async kick(uid: string, options: ModerationOptions = {}): Promise<void> {
    await this.#moderate("kick_member", { uid, ...options });
  }

  /** Takes a user out and keeps them out. */
  async ban(uid: string, { durationMs, reason }: TimedModerationOptions = {}): Promise<void> {
    await this.#moderate("ban_member", { uid, reason, duration_ms: durationMs });
  }
  async unban(uid: string, options: ModerationOptions = {}): Promise<void> {
    await this.#moderate("unban_member", { uid, ...options });
  }

  /** Lets a user read but not write. */
  async mute(uid: string, { durationMs, reason }: TimedModerationOptions = {}): Promise<void> {
    await this.#moderate("mute_member", { uid, reason, duration_ms: durationMs });
  }
  async unmute(uid: string, options: ModerationOptions = {}): Promise<void> {
    await this.#moderate("unmute_member", { uid, ...options });
  }

  /** Changes what is given of the settings. */
  async update({ frozen, slowModeMs }: { frozen?: boolean; slowModeMs?: number }): Promise<void> {
    await this.#moderate("update_room", { frozen, slow_mode_ms: slowModeMs });
  }

  /** What is undefined is left out of the frame. */
  #moderate(type: string, payload: Record<string, unknown>): Promise<Frame> {
    return this.#context.request(type, { room_id: this.id, ...payload });
  }

  /** Leaves. What waits to be sent fails with `closed`. */
  async leave(): Promise<void> {
    this.#end();
    if (this.#context.live() && this.withUid === undefined)
      await this.#context.request("leave_room", { room_id: this.id });
  }

  /** Joins, or joins again after a reconnect. Resolves with the events of the first join. For RoomClient. */
  enter(): Promise<readonly RoomEvent[]> {
    this.#joining ??= this.#enter().finally(() => {
      this.#joining = undefined;
      const missed = this.#joined && this.#overheard > (this.#position?.seq ?? 0);
      this.#overheard = 0;
      if (missed) this.enter().catch(this.#context.report);
    });
    return this.#joining;
  }

  /** True while the latest events are to be loaded anew. For RoomClient. */
  get reloading(): boolean {
    return this.#lostBy !== "";
  }

  /** The connection is gone; what comes next is `enter`. For RoomClient. */
  lost(): void {
    this.#joined = false;
    clearTimeout(this.#retry);
  }

  /** A conversation of which everything up to a position is known, unless more is; false when neither is. For RoomClient. */
  begin(since: Position | undefined): boolean {
    this.#position ??= since;
    this.#entered ||= this.#position !== undefined;
    return this.#entered;
  }

  /** Forgets the position and loads the latest events, told as `reset`. For RoomClient. */
  startOver(reason: string): void {
    this.#reload(reason).catch(this.#context.report);
  }

  /** Fails what waits. For RoomClient. */
  close(error: RoomClientError): void {
    clearTimeout(this.#retry);
    this.#lane.close(error);
  }

  /** A frame about this room. For RoomClient. */
  receive(frame: Frame): void {
    const event = readEvent(frame);
    if (event) this.#live(event, event.prevSeq);
    else if (frame.type === "reset") this.startOver(String(frame.payload.reason));
    else if (frame.type === "room_left") this.#gone(String(frame.payload.reason), String(frame.payload.by ?? ""));
    else if (frame.type === "typing") this.emit("typing", camel<Member>(frame.payload));
    else if (frame.type === "room_updated") this.#updated(camel(frame.payload));
    else if (frame.type === "member_muted") this.#muted(camel({ ...frame.payload, muted: true }));
    else if (frame.type === "member_unmuted") this.#muted(camel({ ...frame.payload, muted: false }));
    else {
      // A newer server may say more; what is not known here is not for here.
      const presence = this.#roster.change(frame);
      if (presence) this.emit("presence", presence);
    }
  }

  async #enter(): Promise<readonly RoomEvent[]> {
    const since = this.#position;
    const first = !this.#entered;
    const payload = { room_id: this.id, history: this.#history, ...(since ? { since } : {}) };
    let joined: RoomJoined;
    try {
      joined = camel<RoomJoined>((await this.#context.request("join_room", payload)).payload);
    } catch (error) {
      if (first || !(error instanceof RoomClientError)) throw error;
      if (!error.retryable) this.#gone(error.code, "");
      else if (this.#context.live())
        this.#retry = setTimeout(() => {
          this.enter().catch(this.#context.report);
        }, error.retryAfterMs || REJOIN_MS);
      return [];
    }
    const events = readEvents(joined.events);
    this.#joined = true;
    this.#entered = true;
    this.#roster.joined(joined);
    const changed = this.#standing.joined(joined);
    const snapshot = readEvents(joined.snapshot ?? []);
    // In the snapshot there may be what this client was not given before, in a room that gives the latest only.
    if (joined.recovered) for (const event of [...events, ...snapshot]) this.#apply(event);
    this.#snapshot.joined(snapshot, joined.seq);
    // Announced before anything newer: until then listeners would see a hole.
    if (!joined.recovered && !first) this.emit("reset", { reason: joined.reason ?? this.#lostBy, events });
    this.#lostBy = "";
    this.#advance(joined.epoch, Math.max(joined.seq, events.at(-1)?.seq ?? 0), joined.recovered);
    if (joined.recovered) this.emit("recovered", { count: events.length });
    if (!first) {
      this.emit("presence", { count: joined.count, joined: [], left: [] });
      if (changed.settings) this.emit("updated", this.settings);
      const { muted } = this;
      const uid = this.#context.uid();
      if (changed.muted) this.emit("muted", { uid, muted: muted !== undefined, by: "", until: muted?.until ?? null });
    }
    this.#lane.flush();
    return events;
  }

  #updated(settings: RoomSettings): void {
    this.#standing.updated(settings);
    this.emit("updated", settings);
  }

  #muted(change: MuteChange): void {
    if (change.uid === this.#context.uid()) this.#standing.changed(change);
    this.emit("muted", change);
  }

  #live(event: RoomEvent, prevSeq: number): void {
    // What comes while a join is under way is in its answer; what comes right behind the answer is asked for again.
    if (this.#joining) {
      this.#overheard = Math.max(this.#overheard, event.seq);
      return;
    }
    const position = this.#position;
    if (!position) {
      // A conversation somebody else began: the first event heard is where this client's log of it begins.
      this.#position = { epoch: this.#context.epoch(), seq: event.seq - 1 };
      this.#entered = true;
    } else if (prevSeq > position.seq && event.seq > position.seq) {
      this.enter().catch(this.#context.report);
      return;
    }
    this.#apply(event);
  }

  #apply(event: RoomEvent): void {
    if (!this.#position) return;
    // What a room kept back may come behind later events, but not behind a later one of its own key.
    if (event.seq <= this.#position.seq && !this.#snapshot.isNews(event)) return;
    this.#position = { ...this.#position, seq: Math.max(event.seq, this.#position.seq) };
    this.#snapshot.heard(event);
    this.emit("event", event);
    if (event.kind === "message") this.emit("message", event.message);
    else if (event.kind === "deleted") this.emit("deleted", event.deletion);
    else this.emit("custom", event.event);
  }

  #advance(epoch: string, seq: number, recovered: boolean): void {
    const last = recovered ? (this.#position?.seq ?? 0) : 0;
    this.#position = { epoch, seq: Math.max(last, seq) };
  }

  async #reload(reason: string): Promise<void> {
    // A join under way may still be answered with what was missed, for which the old position is needed; so may the next
    // one, which it began for what came behind its answer.
    while (this.#joining) await this.#joining.catch(() => undefined);
    // A conversation's history may be shown though nothing was heard of it yet; a room's that could not be joined is not.
    this.#entered ||= this.withUid !== undefined;
    if (!this.#entered) return;
    this.#position = undefined;
    this.#lostBy = reason;
    await this.enter();
  }

  #gone(reason: string, by: string): void {
    this.#end();
    this.emit("left", { reason, by });
  }

  #end(): void {
    this.#joined = false;
    this.close(new RoomClientError("closed", "the room was left"));
    this.#context.forget(this);
  }
}

function readEvents(frames: unknown): RoomEvent[] {
  return (frames as Frame[]).map((frame) => readEvent(frame)).filter((event) => event !== undefined);
}

const TYPING_MS = 2_000;
const REJOIN_MS = 1_000;
