import { fill, h, renderOn, setAttribute } from "./dom.ts";
import { characters, httpsHost } from "./format.ts";
import { icon } from "./icons.ts";
import type { Thread } from "./thread.ts";

/** The server's limits: a message in characters, a picture's address in UTF-16 units. */
const LONGEST = 4_000;
const LONGEST_URL = 2_048;
/** From here on the characters left are shown. */
const NEARLY = 3_600;
const MOST_LINES = 8;
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const RULE_ICONS = { muted: "mute", frozen: "snow", slow: "clock" } as const;

/** Where messages are written. Enter sends, Shift+Enter begins a new line. */
export class Composer {
  readonly element: HTMLFormElement;
  readonly #thread: Thread;
  readonly #onSend: () => void;
  readonly #text: HTMLTextAreaElement;
  readonly #image: HTMLInputElement;
  readonly #imageRow: HTMLElement;
  readonly #attach: HTMLButtonElement;
  readonly #send: HTMLButtonElement;
  readonly #ruleText = h("span", {});
  // Part of what is seen, not of what is read out every second.
  readonly #countdown = h("span", { class: "countdown", "aria-live": "off" });
  readonly #ruleIcon = h("span", {});
  readonly #rule = h(
    "p",
    { class: "rule", role: "status", hidden: true },
    this.#ruleIcon,
    this.#ruleText,
    this.#countdown,
  );
  #again: ReturnType<typeof setTimeout> | undefined;
  readonly #counter = h("span", { class: "counter", hidden: true });

  constructor(options: { thread: Thread; signal: AbortSignal; onSend: () => void }) {
    this.#thread = options.thread;
    this.#onSend = options.onSend;
    this.#text = h("textarea", {
      rows: 1,
      name: "message",
      "aria-label": "Message",
      autocomplete: "off",
      enterkeyhint: "send",
      oninput: () => this.#typed(),
      onkeydown: (event: KeyboardEvent) => this.#pressed(event),
    });
    this.#image = h("input", {
      type: "url",
      name: "image",
      placeholder: "https://… address of a picture",
      "aria-label": "Address of a picture",
      maxlength: LONGEST_URL,
      oninput: () => this.#update(),
      onkeydown: (event: KeyboardEvent) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        this.#showImage(false);
      },
    });
    const drop = { class: "icon-button", type: "button", "aria-label": "No picture" };
    this.#imageRow = h(
      "div",
      { class: "image-row", hidden: true },
      icon("image"),
      this.#image,
      h("button", { ...drop, onclick: () => this.#showImage(false) }, icon("close")),
    );
    const attach = { class: "icon-button", type: "button", "aria-label": "Add a picture", title: "Add a picture" };
    this.#attach = h(
      "button",
      { ...attach, onclick: () => this.#showImage(this.#imageRow.hidden !== false) },
      icon("image"),
    );
    this.#send = h("button", { class: "send", "aria-label": "Send", title: "Send" }, icon("send"));
    this.element = h(
      "form",
      { class: "composer", onsubmit: (event: SubmitEvent) => this.#submit(event) },
      this.#rule,
      this.#imageRow,
      h("div", { class: "composer-row" }, this.#attach, this.#text, this.#counter, this.#send),
    );
    this.#text.value = options.thread.draft;
    renderOn([(listener) => options.thread.changes.on(listener)], options.signal, () => this.#update());
    options.signal.addEventListener("abort", () => clearTimeout(this.#again), { once: true });
  }

  /** Puts the cursor where messages are written. */
  focus(): void {
    this.#text.focus();
  }

  #typed(): void {
    this.#thread.draft = this.#text.value;
    if (this.#text.value.trim() !== "") this.#thread.type();
    this.#update();
  }

  #pressed(event: KeyboardEvent): void {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.element.requestSubmit();
  }

  #showImage(shown: boolean): void {
    this.#imageRow.hidden = !shown;
    this.#attach.setAttribute("aria-expanded", String(shown));
    this.#image.value = "";
    this.#update();
    if (shown) this.#image.focus();
    else this.#text.focus();
  }

  #submit(event: SubmitEvent): void {
    event.preventDefault();
    if (!this.#canSend()) return;
    const image = this.#image.value.trim();
    this.#thread.send(this.#text.value.trim(), image === "" ? undefined : image);
    this.#text.value = "";
    this.#thread.draft = "";
    if (this.#imageRow.hidden) this.#update();
    else this.#showImage(false);
    this.#onSend();
  }

  #canSend(): boolean {
    const image = this.#image.value.trim();
    if (image !== "" && httpsHost(image) === undefined) return false;
    const text = this.#text.value.trim();
    const stops = this.#thread.rules.current(Date.now())?.stops ?? "nothing";
    return (
      stops === "nothing" &&
      this.#thread.status.name === "ready" &&
      (text !== "" || image !== "") &&
      characters(text) <= LONGEST
    );
  }

  #isOver(): boolean {
    const { name } = this.#thread.status;
    return name === "failed" || name === "left";
  }

  /** Shows what limits writing. True when nothing can be written. */
  #renderRule(): boolean {
    const rule = this.#isOver() ? undefined : this.#thread.rules.current(Date.now());
    clearTimeout(this.#again);
    if (rule?.changesInMs !== undefined) {
      this.#again = setTimeout(() => this.#update(), Math.min(rule.changesInMs, LONGEST_TIMER_MS));
    }
    this.#rule.hidden = rule === undefined;
    if (rule && this.#ruleText.textContent !== rule.text) {
      fill(this.#ruleIcon, icon(RULE_ICONS[rule.kind]));
      this.#ruleText.textContent = rule.text;
    }
    this.#countdown.textContent = rule?.countdown ?? "";
    return rule?.stops === "all";
  }

  #update(): void {
    const { withUid, name } = this.#thread;
    const isOver = this.#renderRule() || this.#isOver();
    const length = characters(this.#text.value);
    const image = this.#image.value.trim();
    this.#text.disabled = isOver;
    this.#attach.disabled = isOver;
    this.#text.placeholder = withUid === undefined ? `Message #${name}` : `Message ${name}`;
    this.#text.rows = Math.min(MOST_LINES, this.#text.value.split("\n").length);
    this.#counter.hidden = length < NEARLY;
    this.#counter.textContent = String(LONGEST - length);
    this.#counter.classList.toggle("over", length > LONGEST);
    setAttribute(this.#image, "aria-invalid", image !== "" && httpsHost(image) === undefined ? "true" : undefined);
    this.#send.disabled = !this.#canSend();
  }
}
