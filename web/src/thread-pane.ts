import type { Chat } from "./chat.ts";
import { Composer } from "./composer.ts";
import { fill, h, renderOn } from "./dom.ts";
import { icon } from "./icons.ts";
import type { RowHost } from "./message-row.ts";
import { TableView } from "./table-view.ts";
import type { Thread } from "./thread.ts";
import { TimelineView } from "./timeline-view.ts";

/** A thread: its messages, who is typing, and where one writes. */
export class ThreadPane {
  readonly element: HTMLElement;
  readonly #composer: Composer;

  constructor(options: { chat: Chat; thread: Thread; signal: AbortSignal; onMember: RowHost["onMember"] }) {
    const { chat, thread, signal } = options;
    const timeline = new TimelineView(options);
    this.#composer = new Composer({ thread, signal, onSend: () => timeline.scrollToEnd() });
    const typing = h("p", { class: "typing" });
    const over = h("div", { class: "over", role: "status" });
    this.element = h("section", { class: "pane" }, timeline.element, over, typing, this.#composer.element);
    let status = "";
    let table: TableView | undefined;
    renderOn([(listener) => thread.changes.on(listener)], signal, () => {
      const text = thread.typing.text(Date.now());
      typing.textContent = text === "" ? "" : `${text} …`;
      const dealt = thread.table.state !== undefined;
      this.element.classList.toggle("has-table", dealt);
      if (dealt && table === undefined) {
        table = new TableView({ thread, signal });
        this.element.prepend(table.element);
      }
      if (table) table.element.hidden = !dealt;
      if (thread.status.name === status) return;
      status = thread.status.name;
      this.element.dataset.status = status;
      fill(over, ...problem(chat, thread));
    });
  }

  /** Puts the cursor where messages are written. */
  focus(): void {
    this.#composer.focus();
  }
}

function problem(chat: Chat, thread: Thread): HTMLElement[] {
  const { status } = thread;
  if (status.name !== "failed" && status.name !== "left") return [];
  const room = thread.withUid === undefined;
  const again = (): void => void (room ? thread.join() : thread.open());
  const label = status.name === "left" ? "Join again" : "Try again";
  return [
    h("p", {}, icon("alert"), h("span", {}, status.text)),
    h(
      "p",
      { class: "over-actions" },
      h("button", { class: "button", type: "button", onclick: again }, label),
      h("button", { class: "button quiet", type: "button", onclick: () => void chat.leave(thread) }, "Close"),
    ),
  ];
}
