import type { MuteChange, Room, RoomSettings } from "../../client/src/index.ts";
import { clock, dayLabel, dayOf, duration } from "./format.ts";

/** What limits writing in a room, for this user and now. */
export interface Rule {
  readonly kind: "muted" | "frozen" | "slow";
  readonly text: string;
  /** What goes with it while it counts down; empty when nothing does. */
  readonly countdown: string;
  /** `all`: nothing can be written; `sending`: what is written must wait; `nothing`: it is said so that nobody is surprised. */
  readonly stops: "all" | "sending" | "nothing";
  /** When it may be another one without anybody saying so, in milliseconds from now; undefined: never. */
  readonly changesInMs: number | undefined;
}

type Told = Pick<Room, "settings" | "moderator" | "muted">;

/** A room's settings, and what they and moderators' decisions mean for this user. Conversations have none. */
export class Rules {
  #room: Told | undefined;
  /** As last told to the user. */
  #shown: RoomSettings | undefined;
  #sentAt = Number.NEGATIVE_INFINITY;

  /** Human title of the room; empty for none. */
  get title(): string {
    return this.#room?.settings.title ?? "";
  }

  /** Says in a few words what is special about the room: Frozen, Slow mode 5 s. */
  get marks(): readonly string[] {
    const { frozen = false, slowModeMs = 0 } = this.#room?.settings ?? {};
    return [...(frozen ? ["Frozen"] : []), ...(slowModeMs > 0 ? [`Slow mode ${duration(slowModeMs)}`] : [])];
  }

  /** The room was joined. */
  follow(room: Told): void {
    this.#room = room;
    this.#shown = room.settings;
  }

  /** The user sends something. `now` is in milliseconds, as everywhere here. */
  sent(now: number): void {
    this.#sentAt = now;
  }

  /** The settings changed: what is new, in words. */
  updated(settings: RoomSettings): readonly string[] {
    const before = this.#shown;
    this.#shown = settings;
    return before === undefined ? [] : describeChange(before, settings);
  }

  /** What limits writing; undefined when nothing does. */
  current(now: number): Rule | undefined {
    if (this.#room === undefined) return undefined;
    const { muted, moderator, settings } = this.#room;
    if (muted) return mutedRule(muted.until, now);
    if (moderator) return undefined;
    if (settings.frozen) {
      const text = "The room is frozen: only moderators write.";
      return { kind: "frozen", text, countdown: "", stops: "all", changesInMs: undefined };
    }
    return settings.slowModeMs > 0 ? slowRule(settings.slowModeMs, this.#sentAt - now) : undefined;
  }
}

function mutedRule(until: string | null, now: number): Rule {
  const text = `You are muted${untilWords(until, now)}.`;
  const changesInMs = until === null ? undefined : Math.max(0, Date.parse(until) - now);
  return { kind: "muted", text, countdown: "", stops: "all", changesInMs };
}

/** `sinceMs` is negative: when the last message was sent. */
function slowRule(slowModeMs: number, sinceMs: number): Rule {
  const text = `Slow mode: one message every ${duration(slowModeMs)}.`;
  const wait = slowModeMs + sinceMs;
  if (wait <= 0) return { kind: "slow", text, countdown: "", stops: "nothing", changesInMs: undefined };
  const countdown = `Next one in ${duration(Math.ceil(wait / 1_000) * 1_000)}.`;
  return { kind: "slow", text, countdown, stops: "sending", changesInMs: wait % 1_000 || 1_000 };
}

function untilWords(until: string | null, now: number): string {
  if (until === null) return " until a moderator lifts it";
  const at = Date.parse(until);
  return ` until ${dayOf(at) === dayOf(now) ? clock(at) : `${dayLabel(at, now)}, ${clock(at)}`}`;
}

function describeChange(before: RoomSettings, after: RoomSettings): string[] {
  const words: string[] = [];
  if (before.title !== after.title) {
    words.push(after.title === "" ? "The room has no title any more." : `The room is now called “${after.title}”.`);
  }
  if (before.frozen !== after.frozen) {
    words.push(after.frozen ? "The room was frozen: only moderators write." : "The room is open again.");
  }
  if (before.slowModeMs !== after.slowModeMs) {
    const every = `Slow mode: one message every ${duration(after.slowModeMs)}.`;
    words.push(after.slowModeMs > 0 ? every : "Slow mode is off.");
  }
  return words;
}

/** Somebody was muted, or may write again, in words. `name` is undefined for the user. */
export function describeMute({ muted, until, reason }: MuteChange, name: string | undefined, now: number): string {
  if (!muted) return name === undefined ? "You may write again." : `${name} may write again.`;
  const who = name === undefined ? "You were muted" : `${name} was muted`;
  return `${who}${until === null ? "" : untilWords(until, now)}${reason ? `: ${reason}` : "."}`;
}
