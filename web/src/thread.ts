import type { Message, Room, RoomEvent } from "../../client/src/index.ts";
import { type Member, RoomClientError } from "../../client/src/index.ts";
import { Changes } from "./changes.ts";
import { randomId } from "./random-id.ts";
import { ReadMark } from "./read-mark.ts";
import { Roster } from "./roster.ts";
import { describeMute, Rules } from "./rules.ts";
import { Table } from "./table.ts";
import { readTalk } from "./table-history.ts";
import type { ThreadHost, ThreadStatus } from "./thread-host.ts";
import { Timeline } from "./timeline.ts";
import type { Gap } from "./timeline-rows.ts";
import { TYPING_SHOWN_MS, Typing } from "./typing.ts";
import { describeFailure, describeLeft, describeReset } from "./words.ts";

const PAGE = 50;
/** Events kept of a thread nobody scrolls in; older ones are loaded again when wanted. */
const KEPT = 500;
/** Events kept in any case. */
const MOST_KEPT = 5_000;

/** A room or a direct conversation as this page knows it. */
export class Thread {
  readonly id: string;
  /** Set for a conversation: the other user. */
  readonly withUid: string | undefined;
  readonly changes = new Changes();
  readonly timeline = new Timeline();
  /** What is dealt here, in a room with a dealer; its events are no part of the timeline. */
  readonly table = new Table();
  readonly roster = new Roster();
  readonly rules = new Rules();
  readonly typing = new Typing();
  readonly mark: ReadMark;
  /** Absences that were made up for, by number. */
  readonly gaps = new Map<number, Gap>();
  /** What the user typed and did not send. */
  draft = "";
  /** True while the user looks at the newest messages rather than at older ones. */
  pinned = true;
  readonly #host: ThreadHost;
  #name: string;
  #avatarId: string | undefined;
  #room: Room | undefined;
  #status: ThreadStatus = { name: "loading" };
  #loadingOlder = false;
  #gone = false;
  #latestAt = 0;
  /** Oldest event that was loaded: what is older can be asked for from here. */
  #oldestSeq: number | undefined;
  #headSeq = 0;
  /** Since when the connection is lost, and what came of the time since; undefined while it is there. */
  #away: { readonly since: number; readonly seqs: Set<number>; dealt: number } | undefined;
  #typingTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: { id: string; name: string; withUid?: string; readSeq?: number | undefined; host: ThreadHost }) {
    this.id = options.id;
    this.withUid = options.withUid;
    this.#name = options.name;
    this.#host = options.host;
    this.mark = new ReadMark(options.readSeq);
  }

  /** Name of the room, or of the other user. */
  get name(): string {
    return this.#name;
  }

  /** What people call it: the room's title where it has one. */
  get title(): string {
    return this.rules.title || this.#name;
  }

  /** The other user of a conversation, with the picture last seen. */
  get partner(): Member {
    const avatar = this.#avatarId === undefined ? {} : { avatarId: this.#avatarId };
    return { uid: this.withUid ?? "", username: this.#name, ...avatar };
  }

  /** The other user is seen somewhere: under this name, with this picture. */
  meet({ username, avatarId }: Pick<Member, "username" | "avatarId">): void {
    this.#name = username;
    this.#avatarId = avatarId;
  }

  get status(): ThreadStatus {
    return this.#status;
  }

  /** When its latest message was stored, in milliseconds; 0 when none is known. */
  get latestAt(): number {
    return this.#latestAt;
  }

  /** How many messages wait to be read. A conversation not loaded yet counts as one when it holds anything new. */
  get unread(): number {
    if (this.mark.unread > 0) return this.mark.unread;
    return this.#room === undefined && this.#headSeq > (this.mark.seq ?? 0) ? 1 : 0;
  }

  get loadingOlder(): boolean {
    return this.#loadingOlder;
  }

  /** Position of the last event seen, for those who want to look under the hood. */
  get position(): { readonly epoch: string; readonly seq: number } | undefined {
    return this.#room?.position;
  }

  /** Joins the room and shows its latest messages; waits while offline. */
  async join(): Promise<void> {
    this.#setStatus({ name: "loading" });
    try {
      const { room, events } = await this.#host.client.join(this.id, { history: PAGE });
      if (this.#gone) return void (await room.leave());
      this.#listen(room);
      this.roster.replace(room.knownMembers, room.count);
      this.#replace(events);
      // A room seen for the first time is not full of unread messages.
      this.#take(events, this.mark.seq !== undefined);
      this.mark.begin();
      this.#setStatus({ name: "ready" });
      this.readIfSeen();
      // Where a dealer deals, the latest events may hold nothing that was said.
      if (this.timeline.size === 0) void this.loadOlder();
    } catch (error) {
      this.#setStatus({ name: "failed", text: describeFailure(error) });
    }
  }

  /** Loads a conversation's latest messages, when that was not done yet. */
  async open(): Promise<void> {
    if (this.withUid === undefined || this.#room !== undefined) return;
    const room = this.#host.client.direct(this.withUid);
    this.#listen(room);
    this.#setStatus({ name: "loading" });
    try {
      const page = await room.history({ limit: PAGE });
      this.#take(this.timeline.addOlder(page.events, page.hasMore), true);
      this.#setStatus({ name: "ready" });
      this.readIfSeen();
    } catch (error) {
      this.#room = undefined;
      this.#setStatus({ name: "failed", text: describeFailure(error) });
    }
  }

  /** More of a conversation was missed than came by itself: reads its latest messages, if they are shown. */
  async refresh(): Promise<void> {
    if (this.withUid === undefined || this.#room === undefined) return;
    try {
      const { events, hasMore } = await this.#room.history({ limit: PAGE });
      this.#take(this.timeline.addLatest(events, hasMore), true);
      this.#oldestSeq = this.timeline.oldestSeq;
      this.readIfSeen();
      this.#note();
    } catch (error) {
      this.#host.onProblem(`New messages of ${this.#name} could not be loaded. ${describeFailure(error)}`);
    }
  }

  /** A conversation's summary came: how it stands without being loaded. */
  summarize(summary: { readonly username: string; readonly seq: number; readonly sent: string }): void {
    this.#name = summary.username || this.#name;
    this.#headSeq = Math.max(this.#headSeq, summary.seq);
    this.#latestAt = Math.max(this.#latestAt, Date.parse(summary.sent) || 0);
  }

  /** Leaves for good. */
  async leave(): Promise<void> {
    this.#gone = true;
    clearTimeout(this.#typingTimer);
    await this.#room?.leave();
  }

  /** Loads a page of older messages. Does nothing while one is being loaded, or when there are none. */
  async loadOlder(): Promise<void> {
    const before = this.table.state ? this.#oldestSeq : this.timeline.oldestSeq;
    if (this.#loadingOlder || !this.timeline.hasOlder || before === undefined || this.#room === undefined) return;
    this.#loadingOlder = true;
    this.changes.tell();
    try {
      const talk = await readTalk(this.#room, this.table, before);
      this.timeline.addOlder(talk.events, talk.hasMore);
      this.#oldestSeq = talk.oldestSeq;
    } catch (error) {
      this.#host.onProblem(`Older messages could not be loaded. ${describeFailure(error)}`);
    } finally {
      this.#loadingOlder = false;
      this.changes.tell();
    }
  }

  /** Sends a message; it is shown at once and marked once it is stored or refused. */
  send(text: string, imageUrl: string | undefined): void {
    this.#send(randomId(), text, imageUrl);
  }

  /** Sends again what was refused, with the same id: had it been stored after all, it would not be stored twice. */
  retry(id: string): void {
    const outgoing = this.timeline.outgoing(id);
    if (outgoing) this.#send(id, outgoing.text, outgoing.imageUrl);
  }

  /** Forgets what was refused. */
  discard(id: string): void {
    this.timeline.discard(id);
    this.changes.tell();
  }

  /** Deletes one's own message. */
  async delete(seq: number): Promise<void> {
    try {
      await this.#room?.delete(seq);
    } catch (error) {
      this.#host.onProblem(`The message could not be deleted. ${describeFailure(error)}`);
    }
  }

  /** The user is typing. Rooms only: conversations carry no such hints. */
  type(): void {
    if (this.#status.name === "ready" && this.withUid === undefined) this.#room?.typing();
  }

  /** Loads more members of a large room; false when there are no more. */
  async loadMembers(pageToken: string): Promise<string> {
    if (this.#room === undefined) return "";
    try {
      const page = await this.#room.members({ pageToken });
      this.roster.add(page.members);
      this.changes.tell();
      return page.nextPageToken;
    } catch (error) {
      this.#host.onProblem(`Members could not be loaded. ${describeFailure(error)}`);
      return pageToken;
    }
  }

  /** The connection is gone. Rooms only: of conversations nobody says when they are complete again. */
  lost(): void {
    this.#away ??= { since: Date.now(), seqs: new Set(), dealt: 0 };
  }

  /** Marks everything as read when the user sees it. */
  readIfSeen(): void {
    if (this.#status.name !== "ready" || !this.#host.isRead(this)) return;
    this.mark.read();
    this.#host.onRead(this);
    this.#host.onChanged();
  }

  #listen(room: Room): void {
    this.#room = room;
    room.on("event", (event) => this.#hear(event));
    room.on("presence", (presence) => {
      // Told without names after a reconnect: the list was read anew.
      if (presence.joined.length + presence.left.length === 0) this.roster.replace(room.knownMembers, presence.count);
      else this.roster.change(presence);
      this.timeline.presence(presence, Date.now());
      for (const { uid } of presence.left) this.typing.stopped(uid);
      this.changes.tell();
    });
    room.on("typing", ({ uid, username }) => this.#heardTyping(uid, username));
    this.rules.follow(room);
    room.on("updated", (settings) => this.#note(...this.rules.updated(settings)));
    room.on("muted", (change) => {
      const own = change.uid === this.#host.client.self?.uid;
      const name = own ? undefined : this.roster.get(change.uid)?.username;
      // Of somebody who is not there, nobody here would know who that is.
      this.#note(...(own || name !== undefined ? [describeMute(change, name, Date.now())] : []));
    });
    room.on("recovered", ({ count }) => this.#recovered(count));
    room.on("reset", ({ reason, events }) => this.#reset(reason, events));
    room.on("left", ({ reason, by }) => {
      this.#room = undefined;
      this.roster.replace([], 0);
      const text = describeLeft(reason);
      this.#setStatus({ name: "left", text: by === "" ? text : `${text} (by ${by})` });
    });
  }

  #hear(event: RoomEvent): void {
    if (this.table.take(event)) {
      this.#hearDealer(event);
      return;
    }
    if (this.timeline.add(event)) {
      this.#away?.seqs.add(event.seq);
      if (event.kind === "message") this.typing.stopped(event.message.uid);
      this.#take([event], !this.#host.isRead(this));
      if (this.timeline.trim(this.pinned ? KEPT : MOST_KEPT)) this.#oldestSeq = this.timeline.oldestSeq;
      this.readIfSeen();
    }
    this.changes.tell();
    this.#host.onChanged();
  }

  #hearDealer(event: RoomEvent): void {
    if (this.#away) this.#away.dealt += 1;
    else if (event.kind === "custom") this.table.clock.heard(Date.parse(event.event.sent));
    this.#take([event], false);
    this.changes.tell();
  }

  /** Shows the latest events instead of all that was there; a room's table begins with its snapshot. */
  #replace(events: readonly RoomEvent[]): void {
    this.table.begin(this.#room?.snapshot.values() ?? [], events);
    if (this.table.state) void this.table.clock.ask(() => this.#host.client.serverTime());
    this.timeline.replace(
      events.filter((event) => !this.table.take(event)),
      events.length > 0,
    );
    this.#oldestSeq = events[0]?.seq;
  }

  /** Counts what is new; nothing is when `counts` is false. */
  #take(events: readonly RoomEvent[], counts: boolean): void {
    const self = this.#host.client.self?.uid;
    for (const event of events) {
      if (event.kind === "deleted") continue;
      const sent = event.kind === "message" ? event.message.sent : event.event.sent;
      this.#latestAt = Math.max(this.#latestAt, Date.parse(sent));
      if (event.kind === "message" && event.message.uid === this.withUid) this.meet(event.message);
      this.mark.heard(event.seq, counts && event.kind === "message" && event.message.uid !== self);
    }
  }

  #recovered(count: number): void {
    const away = this.#away;
    this.#away = undefined;
    const missed = count - (away?.dealt ?? 0);
    if (away === undefined || missed <= 0) return;
    const gap = this.gaps.size + 1;
    this.gaps.set(gap, { count: missed, awayMs: Date.now() - away.since });
    this.timeline.markMissed(away.seqs, gap);
    this.#host.onRecovered(this, missed);
    this.changes.tell();
  }

  #reset(reason: string, events: readonly RoomEvent[]): void {
    this.#away = undefined;
    this.#replace(events);
    if (reason === "epoch_changed") this.mark.reset();
    this.#take(events, false);
    this.timeline.note(describeReset(reason));
    this.readIfSeen();
    this.changes.tell();
  }

  #send(id: string, text: string, imageUrl: string | undefined): void {
    this.mark.settle();
    this.rules.sent(Date.now());
    this.timeline.sending(id, text, imageUrl, Date.now());
    this.changes.tell();
    void this.#deliver(id, text, imageUrl);
  }

  async #deliver(id: string, text: string, imageUrl: string | undefined): Promise<void> {
    try {
      if (this.#room === undefined) throw new RoomClientError("not_a_member", "");
      const message = await this.#room.send(text, { id, ...(imageUrl === undefined ? {} : { imageUrl }) });
      // The same message comes from the room too, before or after this: whichever is first is shown.
      this.#hear({ kind: "message", seq: message.seq, message: this.#signed(message) });
    } catch (error) {
      this.timeline.failed(id, describeFailure(error));
      this.changes.tell();
    }
  }

  /** The answer to one's own message leaves out who sent it. */
  #signed(message: Message): Message {
    const self = this.#host.client.self;
    if (self === undefined) return message;
    const avatar = self.avatarId === undefined ? {} : { avatarId: self.avatarId };
    return { ...message, uid: self.uid, username: self.username, ...avatar };
  }

  #heardTyping(uid: string, username: string): void {
    if (uid === this.#host.client.self?.uid) return;
    this.typing.heard(uid, username, Date.now());
    this.changes.tell();
    clearTimeout(this.#typingTimer);
    this.#typingTimer = setTimeout(() => this.changes.tell(), TYPING_SHOWN_MS);
  }

  /** Says something in between, that is not stored. */
  #note(...words: readonly string[]): void {
    for (const text of words) this.timeline.note(text);
    this.changes.tell();
    this.#host.onChanged();
  }

  #setStatus(status: ThreadStatus): void {
    this.#status = status;
    this.changes.tell();
    this.#host.onChanged();
  }
}
