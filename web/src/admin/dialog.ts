import { fill, h } from "../dom.ts";
import { icon } from "../icons.ts";
import { describeFailure } from "./failure.ts";
import { words } from "./states.ts";

/** A field of a dialog; its value is text, and `on` or nothing for a check box. */
export interface Field {
  readonly name: string;
  readonly label: string;
  readonly kind?: "text" | "number" | "area" | "check" | "select";
  readonly value?: string;
  /** A word below it. */
  readonly hint?: string;
  readonly required?: boolean;
  readonly maxLength?: number;
  /** What a select offers: value and label. */
  readonly choices?: readonly (readonly [value: string, label: string])[];
  /** What is on the button that does it while this box is checked. */
  readonly act?: string;
}

/** What a dialog asks, and what is done with the answer. */
export interface Question {
  readonly title: string;
  readonly text?: string | readonly (Node | string)[];
  readonly fields?: readonly Field[];
  /** What is on the button that does it. */
  readonly act: string;
  /** It cannot be undone. */
  readonly danger?: boolean;
  /** Text that must be typed before it can be done. */
  readonly typed?: string;
  /** Does it; the dialog closes when it resolves, and shows why not when it rejects. */
  readonly run: (values: Readonly<Record<string, string>>) => Promise<void>;
}

let lastId = 0;

/** Opens a dialog over everything. Escape and Cancel close it. */
export function ask(question: Question): void {
  const { title, text, act, danger = false, typed, run } = question;
  const fields = (question.fields ?? []).map((field) => fieldElement(field));
  const confirmation = typed === undefined ? undefined : fieldElement(typedField(typed));
  const problem = h("div", { class: "problem", role: "alert", hidden: true });
  const submit = h("button", { class: danger ? "button danger" : "button primary" }, act);
  const dialog = openSheet(
    title,
    h(
      "form",
      {
        class: "sheet-form",
        onsubmit: (event: SubmitEvent) => {
          event.preventDefault();
          void answer();
        },
      },
      text !== undefined && h("p", { class: "sheet-text" }, ...(typeof text === "string" ? [text] : text)),
      ...fields.map(({ element }) => element),
      confirmation?.element,
      problem,
      h(
        "div",
        { class: "sheet-actions" },
        h("button", { class: "button", type: "button", onclick: () => dialog.close() }, "Cancel"),
        submit,
      ),
    ),
  );
  const check = (): void => {
    submit.disabled = confirmation !== undefined && confirmation.value() !== typed;
    const checked = question.fields?.find((field, at) => field.act !== undefined && fields[at]?.value() === "on");
    submit.textContent = checked?.act ?? act;
  };
  dialog.addEventListener("input", check);
  check();
  // What can be undone needs one press of Enter; what cannot begins at Cancel, or at what is to be typed.
  const first = dialog.querySelector<HTMLElement>("input, textarea, select");
  (first ?? (danger ? dialog.querySelector<HTMLElement>(".sheet-actions .button") : submit))?.focus();

  const answer = async (): Promise<void> => {
    submit.disabled = true;
    problem.hidden = true;
    try {
      await run(Object.fromEntries(fields.map(({ name, value }) => [name, value()])));
      dialog.close();
    } catch (error) {
      fill(problem, icon("alert"), h("div", {}, ...words(describeFailure(error))));
      problem.hidden = false;
      check();
      submit.focus();
    }
  };
}

/**
 * Opens a dialog with anything in it, below its title and a button that closes it. It is gone once closed, and the focus goes
 * back to where it was; to what is shown, when that is gone by now.
 */
export function openSheet(title: string, ...content: readonly (HTMLElement | false)[]): HTMLDialogElement {
  const id = `sheet-${++lastId}`;
  const close = { class: "icon-button", type: "button", "aria-label": "Close", onclick: () => dialog.close() };
  const dialog: HTMLDialogElement = h(
    "dialog",
    {
      class: "sheet",
      "aria-labelledby": id,
      onclose: () => {
        dialog.remove();
        if (document.activeElement === document.body) document.querySelector<HTMLElement>("#main")?.focus();
      },
      onclick: (event: MouseEvent) => {
        if (event.target === dialog) dialog.close(); // outside, which is the dialog's own backdrop
      },
    },
    h(
      "div",
      { class: "sheet-body" },
      h("header", { class: "sheet-header" }, h("h2", { id }, title), h("button", close, icon("close"))),
      ...content,
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

function typedField(typed: string): Field {
  return { name: "typed", label: `Type ${typed} to confirm`, required: true };
}

interface FieldElement {
  readonly name: string;
  readonly element: HTMLElement;
  value(): string;
}

function fieldElement({ name, label, kind = "text", value = "", hint, choices = [], ...rules }: Field): FieldElement {
  const common = { name, required: rules.required, maxlength: rules.maxLength, autocomplete: "off" };
  if (kind === "check") {
    const box = h("input", { name, type: "checkbox", checked: value === "on" });
    const element = h("label", { class: "check" }, box, h("span", {}, label, hintElement(hint)));
    return { name, element, value: () => (box.checked ? "on" : "") };
  }
  const input =
    kind === "select"
      ? h("select", { name }, ...choices.map(([choice, text]) => h("option", { value: choice }, text)))
      : kind === "area"
        ? h("textarea", { ...common, rows: 3 })
        : h("input", { ...common, type: kind, ...(kind === "number" && { min: 0, step: 1 }) });
  input.value = value;
  const element = h("label", { class: "field" }, h("span", {}, label), input, hintElement(hint));
  return { name, element, value: () => input.value };
}

function hintElement(hint: string | undefined): HTMLElement | false {
  return hint !== undefined && h("span", { class: "hint" }, hint);
}
