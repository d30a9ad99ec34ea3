import type { Event } from "../../../gen/baccarat/v1/event_pb.ts";
import { fill, h, syncList } from "../dom.ts";
import { icon } from "../icons.ts";
import { rove } from "../roving.ts";
import { ask } from "./dialog.ts";
import { eventRow } from "./event-row.ts";
import { describeFailure } from "./failure.ts";
import { sendForm } from "./room-send.ts";
import { type WatchState, watchRoom } from "./room-watch.ts";
import { empty, failed, loading } from "./states.ts";
import { TailLog } from "./tail-log.ts";
import type { ViewContext } from "./view.ts";

/** Events read at a time. */
const PAGE = 50;
/** Distance from the end, in pixels, within which the reader is taken along. */
const NEAR_END = 40;

/** A room's events as they come, and those before them; and a line to say something. */
export class RoomTail {
  readonly element: HTMLElement;
  readonly #context: ViewContext;
  readonly #roomId: string;
  readonly #log = new TailLog();
  readonly #list = h("ol", { class: "events" });
  readonly #older = h("div", { class: "older" });
  readonly #scroller = h("div", { class: "tail-scroller", role: "log", "aria-label": "Events", tabindex: 0 });
  readonly #state = h("span", { class: "watch-state", role: "status" });
  readonly #placeholder = h("div", { class: "tail-placeholder" }, loading(5));
  readonly #rove: () => void;

  constructor(context: ViewContext, roomId: string) {
    this.#context = context;
    this.#roomId = roomId;
    this.#scroller.append(this.#older, this.#placeholder, this.#list);
    this.#rove = rove(this.#scroller, ".event");
    this.element = h(
      "section",
      { class: "panel tail", "aria-label": "Live tail" },
      h("header", { class: "panel-header" }, h("h2", {}, "Live tail"), this.#state),
      this.#scroller,
      sendForm(context, roomId),
    );
    const listener = {
      onBegin: ({ seq }: { seq: bigint }) => this.#begin(seq),
      onEvents: (events: readonly Event[]) => {
        this.#log.append(events);
        this.#render();
      },
      onState: (state: WatchState) => this.#showState(state),
    };
    void watchRoom(context.api, roomId, listener, context.signal);
  }

  /** Reads what was stored up to where following begins. @throws ConnectError. */
  async #begin(seq: bigint): Promise<void> {
    const { api, signal } = this.#context;
    const request = { roomId: this.#roomId, pageSize: PAGE, beforeSeq: seq + 1n };
    const { events, nextPageToken } = await api.rooms.listEvents(request, { signal });
    this.#log.breakOff();
    this.#log.append(events);
    this.#offerOlder(nextPageToken !== "");
    this.#render();
  }

  async #loadOlder(): Promise<void> {
    const { api, signal } = this.#context;
    const beforeSeq = this.#log.events[0]?.seq ?? 0n;
    fill(this.#older, loading(1));
    try {
      const { events, nextPageToken } = await api.rooms.listEvents(
        { roomId: this.#roomId, pageSize: PAGE, beforeSeq },
        { signal },
      );
      const { scrollHeight, scrollTop } = this.#scroller;
      this.#log.prepend(events);
      this.#offerOlder(nextPageToken !== "");
      this.#render(false);
      // What was looked at stays where it is.
      this.#scroller.scrollTop = scrollTop + this.#scroller.scrollHeight - scrollHeight;
      this.#list.querySelector<HTMLElement>(`[data-seq="${beforeSeq}"]`)?.focus({ preventScroll: true });
    } catch (error) {
      const retry = (): void => void this.#loadOlder();
      if (!signal.aborted) fill(this.#older, failed("Could not load older events", describeFailure(error), retry));
    }
  }

  #offerOlder(more: boolean): void {
    const older = (): void => void this.#loadOlder();
    fill(
      this.#older,
      more
        ? h("button", { class: "button small", type: "button", onclick: older }, "Load older")
        : h("p", { class: "faint" }, "This is the beginning of what is kept."),
    );
  }

  #render(follow = this.#isAtEnd()): void {
    const { events } = this.#log;
    const items = events.map((event) => ({ key: String(event.seq), rev: "", event }));
    syncList(this.#list, items, ({ event }) => this.#row(event));
    this.#rove();
    this.#list.hidden = events.length === 0;
    this.#older.hidden = events.length === 0;
    fill(this.#placeholder, events.length === 0 && empty("clock", "Nothing has been said here yet."));
    if (follow) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #row(event: Event): HTMLElement {
    const remove = {
      class: "icon-button event-action",
      type: "button",
      "aria-label": `Delete message ${event.seq}`,
      title: "Delete message",
      "data-quiet": true,
      tabindex: -1,
      onclick: () => this.#askDelete(event),
    };
    const actions = event.body.case === "message" && h("button", remove, icon("trash"));
    return eventRow(event, { gap: this.#log.hasGap(event), actions });
  }

  #askDelete({ seq, body }: Event): void {
    const { api } = this.#context;
    ask({
      title: "Delete this message?",
      text: body.case === "message" ? `“${body.value.message}” is wiped everywhere, and the members are told.` : "",
      act: "Delete message",
      danger: true,
      run: async () => void (await api.rooms.deleteMessage({ roomId: this.#roomId, seq })),
    });
  }

  #isAtEnd(): boolean {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR_END;
  }

  #showState(state: WatchState): void {
    this.#state.dataset.state = state.name;
    if (state.name === "live") this.#state.textContent = "Live";
    else if (state.name === "connecting") this.#state.textContent = "Connecting";
    else if (state.name === "waiting") this.#state.textContent = `Interrupted, trying again: ${state.failure.message}`;
    else {
      this.#state.textContent = "Not followed";
      fill(this.#placeholder, failed("Could not follow this room", state.failure));
    }
  }
}
