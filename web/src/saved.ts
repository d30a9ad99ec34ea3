/** The part of Storage that is used. */
export type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** A guest's name and picture. */
export interface Profile {
  readonly username: string;
  readonly avatarId: string;
}

/** Which theme was chosen; undefined follows the system. */
export type Theme = "light" | "dark" | undefined;

const MOST_RECENT = 12;
const MOST_MARKS = 500;
const PREFIX = "baccarat.";

/**
 * What the page remembers. Who you are belongs to the tab (sessionStorage): a reload keeps it, and two tabs are two users,
 * since a guest's session is good for one connection only. Your name, the theme and rooms you were in belong to the
 * device (localStorage) and are where the next tab begins.
 */
export class Saved {
  readonly #tab: Store;
  readonly #device: Store;

  constructor(options: { readonly tab: Store; readonly device: Store }) {
    this.#tab = options.tab;
    this.#device = options.device;
  }

  /** A guest's session secret. */
  get session(): string | undefined {
    return this.#tab.getItem(`${PREFIX}session`) ?? undefined;
  }
  set session(session: string | undefined) {
    put(this.#tab, "session", session);
  }

  /** A token the user gave. */
  get token(): string | undefined {
    return this.#tab.getItem(`${PREFIX}token`) ?? undefined;
  }
  set token(token: string | undefined) {
    put(this.#tab, "token", token);
  }

  /** Rooms that are open in this tab. */
  get rooms(): readonly string[] {
    return readStrings(this.#tab, "rooms");
  }
  set rooms(rooms: readonly string[]) {
    put(this.#tab, "rooms", JSON.stringify(rooms));
  }

  /** What is shown in this tab: id of a room or conversation. */
  get active(): string | undefined {
    return this.#tab.getItem(`${PREFIX}active`) ?? undefined;
  }
  set active(id: string | undefined) {
    put(this.#tab, "active", id);
  }

  /** How far rooms and conversations were read. */
  readMark(id: string): number | undefined {
    return this.#readMarks()[id];
  }
  setReadMark(id: string, seq: number): void {
    const { [id]: _, ...others } = this.#readMarks();
    const marks = [...Object.entries(others), [id, seq] as const].slice(-MOST_MARKS);
    put(this.#tab, "read", JSON.stringify(Object.fromEntries(marks)));
  }

  /** The name and picture used last. */
  get profile(): Profile | undefined {
    const value = read(this.#device, "profile");
    if (!isRecord(value) || typeof value.username !== "string" || typeof value.avatarId !== "string") return undefined;
    return { username: value.username, avatarId: value.avatarId };
  }
  set profile(profile: Profile | undefined) {
    put(this.#device, "profile", profile && JSON.stringify(profile));
  }

  /** Rooms that were open on this device, latest first. */
  get recent(): readonly string[] {
    return readStrings(this.#device, "recent");
  }
  addRecent(room: string): void {
    const rooms = [room, ...this.recent.filter((other) => other !== room)].slice(0, MOST_RECENT);
    put(this.#device, "recent", JSON.stringify(rooms));
  }
  removeRecent(room: string): void {
    put(this.#device, "recent", JSON.stringify(this.recent.filter((other) => other !== room)));
  }

  /** Whether this server wanted a token the last time, so that it is asked for first. */
  get wantsToken(): boolean {
    return this.#device.getItem(`${PREFIX}login`) === "token";
  }
  set wantsToken(wanted: boolean) {
    put(this.#device, "login", wanted ? "token" : undefined);
  }

  get theme(): Theme {
    const theme = this.#device.getItem(`${PREFIX}theme`);
    return theme === "light" || theme === "dark" ? theme : undefined;
  }
  set theme(theme: Theme) {
    put(this.#device, "theme", theme);
  }

  /** Forgets who the user of this tab is. */
  forgetUser(): void {
    for (const name of ["session", "token", "read", "active"]) put(this.#tab, name, undefined);
  }

  #readMarks(): Readonly<Record<string, number>> {
    const value = read(this.#tab, "read");
    if (!isRecord(value)) return {};
    return Object.fromEntries(
      Object.entries(value).filter((mark): mark is [string, number] => Number.isInteger(mark[1])),
    );
  }
}

/** Storage that lasts as long as the page: for browsers that have none, or refuse it. */
export function memoryStore(): Store {
  const items = new Map<string, string>();
  return {
    getItem: (name) => items.get(name) ?? null,
    setItem: (name, value) => void items.set(name, value),
    removeItem: (name) => void items.delete(name),
  };
}

function put(store: Store, name: string, value: string | undefined): void {
  if (value === undefined) store.removeItem(PREFIX + name);
  else store.setItem(PREFIX + name, value);
}

function read(store: Store, name: string): unknown {
  const text = store.getItem(PREFIX + name);
  try {
    return text === null ? undefined : JSON.parse(text);
  } catch {
    return undefined; // written by something else: as if nothing had been saved
  }
}

function readStrings(store: Store, name: string): readonly string[] {
  const value = read(store, name);
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
