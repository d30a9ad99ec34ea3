import { App } from "./app.ts";
import { Chat, type ChatHost } from "./chat.ts";
import { webSocketUrl } from "./edges.ts";
import { type Entry, entrance } from "./entrance.ts";
import { isRoomId } from "./room-search.ts";
import { Saved } from "./saved.ts";
import { browserStores } from "./stores.ts";
import { themeButton } from "./theme.ts";
import { Toasts } from "./toasts.ts";
import { describeEnding, type Ending } from "./words.ts";

const DEFAULT_ROOM = "general";
/** `unauthenticated`: no token was given, or not one the server takes. */
const UNAUTHENTICATED = 4501;
const SAVE_AFTER_MS = 300;

const saved = new Saved(browserStores());

/** Asks who the user is. */
function enter(problem: string): void {
  const screen = entrance({
    profile: saved.profile,
    room: roomInAddress() ?? featuredRoom() ?? saved.recent[0] ?? DEFAULT_ROOM,
    featured: featuredRoom(),
    wantsToken: saved.wantsToken,
    problem,
    themeButton: themeButton(saved),
    onEnter: (entry) => {
      remember(entry);
      converse();
    },
  });
  document.title = "baccarat";
  document.body.replaceChildren(screen);
  screen.querySelector<HTMLElement>("input, textarea")?.focus();
}

function remember(entry: Entry): void {
  if ("token" in entry) {
    saved.token = entry.token;
    saved.rooms = [roomInAddress() ?? DEFAULT_ROOM];
    return;
  }
  saved.profile = entry.profile;
  saved.rooms = [entry.room, ...saved.rooms.filter((room) => room !== entry.room)];
  saved.active = entry.room;
}

/** Connects and shows the rooms. */
function converse(): void {
  const ending = new AbortController();
  const toasts = new Toasts();
  const { profile, session, token } = saved;
  const marks = new ReadMarks();
  const host: ChatHost = {
    readSeq: (id) => saved.readMark(id),
    onThreads: saveThreads,
    onRead: (thread) => marks.put(thread.id, thread.mark.seq),
    onSession: (session) => {
      saved.session = session;
    },
    say: (text, kind) => toasts.say(text, kind),
  };
  const who = token === undefined ? { ...profile, ...(session ? { session } : {}) } : { getToken: () => token };
  const chat = new Chat({ url: webSocketUrl(location.origin) ?? "", client: who, host });

  const leave = (): void => {
    ending.abort();
    chat.close();
  };
  const onWay = (way: Ending["way"]): void => {
    leave();
    if (way === "again") return void location.reload();
    saved.forgetUser();
    enter("");
  };
  chat.client.on("state", (state) => {
    if (state.name === "live") saved.wantsToken = token !== undefined;
    if (state.name !== "closed" || state.code !== UNAUTHENTICATED || ending.signal.aborted) return;
    saved.wantsToken = true;
    saved.forgetUser();
    leave();
    enter(token === undefined ? describeEnding(state.code, "").text : `The token was not accepted: ${state.reason}`);
  });

  const openRoom = (): void => {
    const room = roomInAddress();
    if (room !== undefined) chat.join(room);
  };
  const { rooms, active } = saved;
  for (const room of rooms) chat.join(room, { show: false });
  const first = active ?? rooms[0];
  if (first !== undefined) chat.show(first);
  const featured = featuredRoom();
  // Offered once: whoever leaves it is not brought back.
  if (featured !== undefined && !saved.recent.includes(featured)) chat.join(featured, { show: first === undefined });
  openRoom();

  const { signal } = ending;
  addEventListener("hashchange", openRoom, { signal });
  addEventListener("pagehide", () => marks.save(), { signal });
  const look = (): void => chat.setVisible(!document.hidden);
  document.addEventListener("visibilitychange", look, { signal });
  look();
  const app = new App({ chat, saved, toasts, signal, onWay });
  document.body.replaceChildren(app.element);
  app.focus();
}

function saveThreads({ rooms, active, activeId }: Chat): void {
  saved.rooms = rooms.map(({ id }) => id);
  saved.active = activeId;
  for (const { id } of rooms) if (!saved.recent.includes(id)) saved.addRecent(id);
  if (active === undefined) return;
  // A room's address can be given to others; a conversation's means nothing to them.
  const address = active.withUid === undefined ? `#${active.id}` : location.pathname;
  history.replaceState(null, "", address);
}

/** How far things were read, saved now and then: a busy room is read a hundred times a second. */
class ReadMarks {
  readonly #waiting = new Map<string, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  put(id: string, seq: number | undefined): void {
    if (seq === undefined) return;
    this.#waiting.set(id, seq);
    this.#timer ??= setTimeout(() => this.save(), SAVE_AFTER_MS);
  }

  save(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [id, seq] of this.#waiting) saved.setReadMark(id, seq);
    this.#waiting.clear();
  }
}

/** The room this server proposes, if it does. */
function featuredRoom(): string | undefined {
  const room = document.querySelector<HTMLMetaElement>('meta[name="featured-room"]')?.content ?? "";
  return isRoomId(room) ? room : undefined;
}

function roomInAddress(): string | undefined {
  const room = location.hash.slice(1);
  return isRoomId(room) ? room : undefined;
}

// Last: what it uses is defined above.
if (saved.session !== undefined || saved.token !== undefined) converse();
else enter("");
