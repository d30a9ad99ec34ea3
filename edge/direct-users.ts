import { excluding, type Few, including, listOf } from "../services/few.ts";
import type { RoomId, Uid } from "../services/ids.ts";
import { FIXED } from "../services/limits.ts";
import type { Conversations, DirectHearer } from "./conversations.ts";
import type { CursorWriter } from "./cursor-writer.ts";
import { DirectListener, type DirectSource, type Missed } from "./direct-listener.ts";
import { type DirectPosition, least } from "./direct-position.ts";
import type { Outbox } from "./outbox.ts";

/** What is known of a user who may have been away. */
export interface UserPast {
  readonly missed: Missed;
  /** Seq of the user's cursor as it is stored, 0 for none. */
  readonly cursorSeq: number;
  /** The user has conversations. */
  readonly talks: boolean;
}

/** A user with connections here. */
export class DirectUser implements DirectSource, DirectHearer {
  readonly uid: Uid;
  readonly #conversations: Conversations;
  #listeners: Few<DirectListener>;
  /** Direct frames sent to the user here, and how many of them the stored cursor covers. */
  count = 0;
  written = 0;
  cursorSeq = 0;
  talks = false;
  /** What a device has that was cut off, while others of the user stayed: until it may be back, nothing beyond counts. */
  lagging: DirectPosition | undefined;

  constructor(uid: Uid, conversations: Conversations) {
    this.uid = uid;
    this.#conversations = conversations;
  }

  /** The user's connections, as they are now. */
  get listeners(): readonly DirectListener[] {
    return listOf(this.#listeners);
  }

  enter(listener: DirectListener): void {
    this.#listeners = including(this.#listeners, listener);
  }

  leave(listener: DirectListener): void {
    this.#listeners = excluding(this.#listeners, listener);
  }

  position(seq: number): DirectPosition {
    return this.#conversations.positionOf(this.uid, seq);
  }

  hear(room: RoomId, seq: number, frame: Buffer): void {
    this.count++;
    for (const listener of this.listeners) listener.hear(room, seq, frame);
  }
}

/** Nobody knew of the user before: there is nothing it could have missed. */
export const NOTHING_MISSED: UserPast = {
  missed: { seq: 0, events: [], truncated: () => undefined },
  cursorSeq: 0,
  talks: false,
};

/** How far behind the log's end, in seqs, a cursor may be of a user who has no conversations. */
const STALE = 100_000;

/**
 * The users here with their connections, as far as direct messages go. All connections of a user hear everything; the
 * user's cursor is written as it moves, and when a connection ends: at most as far as every connection certainly has its
 * messages.
 */
export class DirectUsers {
  readonly #conversations: Conversations;
  readonly #cursors: CursorWriter;
  readonly #users: Map<Uid, DirectUser>;
  /** Connections that hear nothing more, and what they were sent. */
  readonly #leaving = new Map<
    DirectListener,
    { readonly user: DirectUser; readonly sent: DirectPosition | undefined }
  >();
  readonly #timer: NodeJS.Timeout;

  /** `users` is filled here; `conversations` has it, too. */
  constructor(options: { users: Map<Uid, DirectUser>; conversations: Conversations; cursors: CursorWriter }) {
    this.#users = options.users;
    this.#conversations = options.conversations;
    this.#cursors = options.cursors;
    this.#timer = setInterval(() => this.flush(), FIXED.cursorMs);
  }

  /** A connection hears its user's direct messages from now on, but is sent nothing before `begin`. */
  enter(uid: Uid, clientId: string, outbox: Outbox): DirectListener {
    const user = this.#users.get(uid) ?? this.#open(uid);
    const listener = new DirectListener({ uid, clientId, outbox, source: user });
    user.enter(listener);
    return listener;
  }

  /** Sends a connection what it missed and what was kept back, and goes live. @param past undefined: not known yet. */
  begin(listener: DirectListener, past: UserPast | undefined): void {
    const user = this.#users.get(listener.uid);
    if (user === undefined) return;
    if (past !== undefined) {
      user.lagging = undefined;
      this.#learn(user, past);
    }
    if (listener.begin(past?.missed)) user.count++;
  }

  /** Tells a connection that is live what it missed. */
  tell(listener: DirectListener, past: UserPast): void {
    const user = this.#users.get(listener.uid);
    if (user === undefined) return;
    this.#learn(user, past);
    if (listener.tell(past.missed)) user.count++;
  }

  /** A connection ends: it is sent nothing more. */
  leave(listener: DirectListener): void {
    const { uid } = listener;
    const user = this.#users.get(uid);
    if (!user?.listeners.includes(listener)) return;
    user.leave(listener);
    this.#leaving.set(listener, { user, sent: listener.sent });
    if (user.listeners.length > 0) return;
    this.#users.delete(uid);
  }

  /** A connection has ended. @param answered the client's Close frame came: it has read what it was sent. */
  ended(listener: DirectListener, answered: boolean): void {
    const left = this.#leaving.get(listener);
    if (left === undefined) return;
    this.#leaving.delete(listener);
    const { user, sent } = left;
    const own = answered ? sent : listener.confirmed;
    if (!answered && user.listeners.length > 0) user.lagging = least([own, ...(user.lagging ? [user.lagging] : [])]);
    // Those that have not begun wait for just this.
    const others = user.listeners.filter((other) => other.sent !== undefined).map(({ confirmed }) => confirmed);
    const position = least([own, ...others]);
    if (position === undefined) return;
    const worth = user.talks || user.count > 0 || position.seq - user.cursorSeq > STALE;
    if (worth) this.#cursors.put(listener.uid, { position, clientId: listener.clientId, ended: true });
  }

  /** Writes the cursors that moved. */
  flush(): void {
    // Most users have nothing to write, and a loop would make two objects for each.
    this.#users.forEach((user, uid) => {
      if (user.count > user.written) this.#write(uid, user);
    });
    this.#cursors.retry();
  }

  /** Writes nothing any more but what was handed over; resolves when that is done, or after a second. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#cursors.close();
  }

  #open(uid: Uid): DirectUser {
    const user = new DirectUser(uid, this.#conversations);
    this.#users.set(uid, user);
    return user;
  }

  #learn(user: DirectUser, { cursorSeq, talks }: UserPast): void {
    user.cursorSeq = Math.max(user.cursorSeq, cursorSeq);
    user.talks ||= talks;
  }

  #write(uid: Uid, user: DirectUser): void {
    const { listeners } = user;
    const count = Math.min(...listeners.map(({ confirmedCount }) => confirmedCount));
    if (count <= user.written) return;
    const position = least([...listeners.map(({ confirmed }) => confirmed), ...(user.lagging ? [user.lagging] : [])]);
    if (position === undefined) return;
    user.written = count;
    user.cursorSeq = Math.max(user.cursorSeq, position.seq);
    this.#cursors.put(uid, { position, clientId: listeners[0]?.clientId ?? "", ended: false });
  }
}
