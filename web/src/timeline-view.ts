import { avatar } from "./avatar.ts";
import type { Chat } from "./chat.ts";
import { fill, h, renderOn, syncList } from "./dom.ts";
import { badge, plural } from "./format.ts";
import { icon } from "./icons.ts";
import { type RowHost, rowElement } from "./message-row.ts";
import { rove } from "./roving.ts";
import type { Thread } from "./thread.ts";
import { layOut } from "./timeline-rows.ts";

/** Nearer to the end than this is at the end, in pixels. */
const END_PX = 40;
/** Older messages are loaded when the top is nearer than this. */
const TOP_PX = 400;

/** The messages of a thread. Scrolled up it stays where it is, whatever comes above or below. */
export class TimelineView {
  readonly element: HTMLElement;
  readonly #chat: Chat;
  readonly #thread: Thread;
  readonly #onMember: RowHost["onMember"];
  readonly #top = h("div", { class: "timeline-top" });
  readonly #rows = h("ol", { class: "rows" });
  readonly #scroller: HTMLElement;
  readonly #jump: HTMLElement;
  readonly #refreshRoving: () => void;
  /** Oldest event when older ones were last asked for: asked once by itself, then only by the user. */
  #askedAt: number | undefined;

  constructor(options: { chat: Chat; thread: Thread; signal: AbortSignal; onMember: RowHost["onMember"] }) {
    this.#chat = options.chat;
    this.#thread = options.thread;
    this.#onMember = options.onMember;
    this.#scroller = h(
      "div",
      { class: "scroller", role: "log", "aria-label": "Messages", onscroll: () => this.#scrolled() },
      this.#top,
      this.#rows,
    );
    this.#jump = h("button", { class: "jump", type: "button", hidden: true, onclick: () => this.scrollToEnd() });
    this.element = h("div", { class: "timeline" }, this.#scroller, this.#jump);
    this.#refreshRoving = rove(this.#scroller, ".row[tabindex]");
    const resized = new ResizeObserver(() => {
      if (this.#thread.pinned) this.#toEnd();
    });
    resized.observe(this.#scroller);
    resized.observe(this.#rows);
    options.signal.addEventListener("abort", () => resized.disconnect(), { once: true });
    const { changes } = options.thread;
    renderOn([(listener) => changes.on(listener)], options.signal, () => this.#render());
  }

  /** Shows the newest messages. */
  scrollToEnd(): void {
    this.#thread.pinned = true;
    this.#toEnd();
    this.#thread.readIfSeen();
    this.#renderJump();
  }

  #render(): void {
    const self = this.#chat.self ?? { uid: "", username: "" };
    const thread = this.#thread;
    const rows = layOut(thread.timeline.entries(), {
      selfUid: self.uid,
      firstUnread: thread.mark.firstUnread,
      gaps: thread.gaps,
      now: Date.now(),
    });
    const host = { thread, self, onMember: this.#onMember };
    this.#keepPlace(() => {
      this.#renderTop();
      syncList(this.#rows, rows, (row) => rowElement(row, host));
    });
    this.#scroller.setAttribute("aria-busy", String(thread.status.name === "loading" || thread.loadingOlder));
    this.#refreshRoving();
    this.#renderJump();
    this.#loadOlderNearTop();
  }

  #renderTop(): void {
    const { status, timeline, loadingOlder } = this.#thread;
    const loading = status.name === "loading" && timeline.size === 0;
    const kind = loading ? "loading" : loadingOlder ? "older" : timeline.hasOlder ? "more" : status.name;
    if (this.#top.dataset.kind === kind) return;
    this.#top.dataset.kind = kind;
    if (kind === "loading") fill(this.#top, skeleton());
    else if (kind === "older") fill(this.#top, h("p", { class: "faint" }, "Loading older messages …"));
    else if (kind === "more") fill(this.#top, this.#olderButton());
    else if (kind === "ready") fill(this.#top, beginning(this.#thread));
    else fill(this.#top);
  }

  #olderButton(): HTMLElement {
    const load = (): void => void this.#thread.loadOlder();
    return h("button", { class: "button small", type: "button", onclick: load }, "Load older messages");
  }

  #renderJump(): void {
    const { pinned, mark } = this.#thread;
    this.#jump.hidden = pinned;
    const text = mark.unread > 0 ? plural(mark.unread, "new message") : "Latest messages";
    this.#jump.ariaLabel = text;
    fill(this.#jump, icon("down"), mark.unread > 0 ? `${badge(mark.unread)} new` : "Latest");
  }

  /** Changes the rows so that what the user looks at does not move. */
  #keepPlace(change: () => void): void {
    if (this.#thread.pinned) {
      change();
      this.#toEnd();
      return;
    }
    const anchor = this.#firstVisible();
    const before = anchor?.offsetTop ?? 0;
    change();
    if (anchor?.isConnected) this.#scroller.scrollTop += anchor.offsetTop - before;
  }

  #firstVisible(): HTMLElement | undefined {
    const { scrollTop } = this.#scroller;
    for (const row of this.#rows.children) {
      if (row instanceof HTMLElement && row.offsetTop + row.offsetHeight > scrollTop) return row;
    }
    return undefined;
  }

  #toEnd(): void {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #scrolled(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const pinned = scrollHeight - scrollTop - clientHeight < END_PX;
    if (pinned !== this.#thread.pinned) {
      this.#thread.pinned = pinned;
      this.#thread.readIfSeen();
      this.#renderJump();
    }
    this.#loadOlderNearTop();
  }

  #loadOlderNearTop(): void {
    const { timeline, status } = this.#thread;
    if (status.name !== "ready" || this.#scroller.scrollTop > TOP_PX || timeline.oldestSeq === this.#askedAt) return;
    this.#askedAt = timeline.oldestSeq;
    void this.#thread.loadOlder();
  }
}

/** Grey bars where messages will be. */
function skeleton(): HTMLElement {
  const bars = Array.from({ length: 5 }, () => h("div", { class: "bone" }, h("span", {}), h("span", {})));
  return h("div", { class: "skeleton", "aria-label": "Loading messages", role: "img" }, ...bars);
}

function beginning({ withUid, name, partner }: Thread): HTMLElement {
  const title = withUid === undefined ? `This is the beginning of #${name}` : `You and ${name}`;
  const text =
    withUid === undefined
      ? "What is written here reaches everybody in the room, in the same order, exactly once."
      : "Only the two of you can read this.";
  const symbol = withUid === undefined ? icon("hash") : avatar(partner);
  return h(
    "div",
    { class: "beginning" },
    symbol,
    h("p", { class: "beginning-title" }, title),
    h("p", { class: "faint" }, text),
  );
}
