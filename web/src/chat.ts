import {
  type ConnectionState,
  type ConversationSummary,
  type Member,
  RoomClient,
  type RoomClientOptions,
  type Self,
} from "../../client/src/index.ts";
import { Changes } from "./changes.ts";
import { plural } from "./format.ts";
import { Thread } from "./thread.ts";
import type { ThreadHost } from "./thread-host.ts";
import { describeFailure } from "./words.ts";

/** What a chat remembers, and where it tells what happens beside its threads. */
export interface ChatHost {
  readonly readSeq: (id: string) => number | undefined;
  /** Threads or what is shown changed: worth saving. */
  readonly onThreads: (chat: Chat) => void;
  readonly onRead: (thread: Thread) => void;
  readonly onSession: (session: string) => void;
  /** A short word to the user. */
  readonly say: (text: string, kind: "good" | "bad") => void;
}

/** An operator's words to everybody. */
export interface Notice {
  readonly id: number;
  readonly text: string;
  readonly at: number;
}

/** How long recoveries of several rooms are gathered into one word. */
const GATHER_MS = 250;
const MOST_NOTICES = 3;
/** Conversations looked through when too much was missed to come by itself. */
const MOST_LISTED = 200;

/** Everything one user sees: the connection, the rooms and conversations, and which of them is shown. */
export class Chat {
  readonly changes = new Changes();
  readonly client: RoomClient;
  readonly #host: ChatHost;
  readonly #threads = new Map<string, Thread>();
  readonly #threadHost: ThreadHost;
  #active: string | undefined;
  #visible = true;
  #notices: readonly Notice[] = [];
  #nextNotice = 1;
  #recovered = { events: 0, threads: new Set<Thread>() };
  #wasLive = false;

  /** Connects at once. `url` is the edge's WebSocket. */
  constructor(options: { readonly url: string; readonly client: RoomClientOptions; readonly host: ChatHost }) {
    this.#host = options.host;
    this.client = new RoomClient(options.url, options.client);
    this.#threadHost = {
      client: this.client,
      isRead: (thread) => thread.id === this.#active && this.#visible && thread.pinned,
      onRead: (thread) => this.#host.onRead(thread),
      onRecovered: (thread, count) => this.#gather(thread, count),
      onChanged: () => this.changes.tell(),
      onProblem: (text) => this.#host.say(text, "bad"),
    };
    this.client.on("state", (state) => this.#stateChanged(state));
    this.client.on("self", () => this.changes.tell());
    this.client.on("session", (session) => this.#host.onSession(session));
    this.client.on("conversations", (conversations) => this.#summarize(conversations));
    this.client.on("direct", ({ room }) => {
      if (room.withUid !== undefined) void this.#conversation(room.id, room.withUid, room.withUid).open();
    });
    this.client.on("truncated", ({ rooms, moreRooms }) => void this.#refresh(rooms, moreRooms));
    this.client.on("notice", ({ message, sent }) => this.#addNotice(message, Date.parse(sent)));
    this.client.on("error", (error) => this.#host.say(error.message, "bad"));
  }

  get state(): ConnectionState {
    return this.client.state;
  }

  get self(): Self | undefined {
    return this.client.self;
  }

  /** Rooms, in the order in which they were joined. */
  get rooms(): readonly Thread[] {
    return [...this.#threads.values()].filter(({ withUid }) => withUid === undefined);
  }

  /** Conversations, latest first. */
  get conversations(): readonly Thread[] {
    const direct = [...this.#threads.values()].filter(({ withUid }) => withUid !== undefined);
    return direct.sort((a, b) => b.latestAt - a.latestAt);
  }

  /** What is shown; undefined when there is nothing to show. */
  get active(): Thread | undefined {
    return this.#active === undefined ? undefined : this.#threads.get(this.#active);
  }

  /** Id of what is shown, also while that is a conversation not heard of yet. */
  get activeId(): string | undefined {
    return this.#active;
  }

  /** Messages not read yet, in all threads. */
  get unread(): number {
    return [...this.#threads.values()].reduce((sum, { unread }) => sum + unread, 0);
  }

  get notices(): readonly Notice[] {
    return this.#notices;
  }

  /** Joins a room, unless it is there already, and shows it. */
  join(id: string, options: { readonly show: boolean } = { show: true }): Thread {
    const known = this.#threads.get(id);
    const thread = known ?? this.#add(new Thread({ id, name: id, ...this.#threadOptions(id) }));
    if (thread.status.name === "failed" || thread.status.name === "left" || !known) void thread.join();
    if (options.show) this.show(id);
    return thread;
  }

  /** Shows the conversation with a user, and begins it if need be. */
  openDirect(member: Member): void {
    const self = this.self?.uid;
    if (self === undefined || self === member.uid) return;
    const id = self < member.uid ? `direct:${self}:${member.uid}` : `direct:${member.uid}:${self}`;
    this.#conversation(id, member.uid, member.username).meet(member);
    this.show(id);
  }

  /** Shows a thread; a conversation not heard of yet, once it is. */
  show(id: string): void {
    const thread = this.#threads.get(id);
    if (id !== this.#active) {
      this.active?.mark.settle();
      if (thread) thread.pinned = true;
    }
    this.#active = id;
    if (this.self) void thread?.open();
    thread?.readIfSeen();
    this.#host.onThreads(this);
    this.changes.tell();
  }

  /** Shows the thread `by` places further down the list. */
  showNext(by: 1 | -1): void {
    const all = [...this.rooms, ...this.conversations];
    const at = all.findIndex(({ id }) => id === this.#active);
    const next = all[(at + by + all.length) % all.length];
    if (next) this.show(next.id);
  }

  /** Leaves a room, or takes a conversation off the list until something is said in it. */
  async leave(thread: Thread): Promise<void> {
    const all = [...this.rooms, ...this.conversations];
    this.#threads.delete(thread.id);
    if (this.#active === thread.id) {
      const at = all.indexOf(thread);
      this.#active = undefined;
      const next = all[at + 1] ?? all[at - 1];
      if (next) this.show(next.id);
    }
    this.#host.onThreads(this);
    this.changes.tell();
    try {
      await thread.leave();
    } catch (error) {
      this.#host.say(`The server may not know yet that you left ${thread.name}: ${String(error)}`, "bad");
    }
  }

  /** The user sees the page, or does no longer. */
  setVisible(visible: boolean): void {
    this.#visible = visible;
    if (visible) this.active?.readIfSeen();
  }

  /** Takes a notice off. */
  dismiss(id: number): void {
    this.#notices = this.#notices.filter((notice) => notice.id !== id);
    this.changes.tell();
  }

  /** Ends the connection for good. */
  close(): void {
    this.client.close();
  }

  #add(thread: Thread): Thread {
    this.#threads.set(thread.id, thread);
    return thread;
  }

  #threadOptions(id: string): { readSeq: number | undefined; host: ThreadHost } {
    return { readSeq: this.#host.readSeq(id), host: this.#threadHost };
  }

  #conversation(id: string, withUid: string, name: string): Thread {
    return this.#threads.get(id) ?? this.#add(new Thread({ id, withUid, name, ...this.#threadOptions(id) }));
  }

  #summarize(conversations: readonly ConversationSummary[]): void {
    for (const summary of conversations) {
      this.#conversation(summary.roomId, summary.uid, summary.username || summary.uid).summarize(summary);
    }
    // What was shown before a reload may be a conversation, which is known from now on.
    void this.active?.open();
    this.#host.onThreads(this);
    this.changes.tell();
  }

  /** More direct messages were missed than came: which, the list of conversations says, and those shown are read anew. */
  async #refresh(rooms: readonly string[], all: boolean): Promise<void> {
    try {
      const { conversations } = await this.client.conversations({ pageSize: MOST_LISTED });
      this.#summarize(conversations);
      const behind = this.conversations.filter(({ id }) => all || rooms.includes(id));
      await Promise.all(behind.map((thread) => thread.refresh()));
    } catch (error) {
      this.#host.say(`Not all direct messages could be looked for. ${describeFailure(error)}`, "bad");
    }
  }

  #stateChanged(state: ConnectionState): void {
    if (state.name === "live") this.#wasLive = true;
    else if (this.#wasLive) for (const room of this.rooms) room.lost();
    this.changes.tell();
  }

  #gather(thread: Thread, count: number): void {
    if (this.#recovered.threads.size === 0) setTimeout(() => this.#tellRecovered(), GATHER_MS);
    this.#recovered.events += count;
    this.#recovered.threads.add(thread);
  }

  #tellRecovered(): void {
    const { events, threads } = this.#recovered;
    this.#recovered = { events: 0, threads: new Set() };
    const [first] = threads;
    const where = threads.size === 1 ? ` in #${first?.name}` : ` in ${plural(threads.size, "room")}`;
    this.#host.say(`Recovered ${plural(events, "message")}${this.#threads.size > 1 ? where : ""}`, "good");
  }

  #addNotice(text: string, at: number): void {
    const notice = { id: this.#nextNotice++, text, at: at || Date.now() };
    this.#notices = [notice, ...this.#notices].slice(0, MOST_NOTICES);
    this.changes.tell();
  }
}
