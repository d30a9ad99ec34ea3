import { h } from "../dom.ts";
import { icon } from "../icons.ts";

/** Time without a key after which a search begins, in milliseconds. */
const PAUSE_MS = 200;

/** A field that searches while one types. */
export function searchField(options: {
  readonly label: string;
  readonly placeholder: string;
  readonly value: string;
  readonly signal: AbortSignal;
  readonly onChange: (text: string) => void;
}): HTMLElement {
  const { label, placeholder, value, signal, onChange } = options;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let told = value;
  const tell = (): void => {
    clearTimeout(timer);
    const text = input.value.trim();
    if (text === told) return;
    told = text;
    onChange(text);
  };
  const input = h("input", {
    type: "search",
    "aria-label": label,
    placeholder,
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(tell, PAUSE_MS);
    },
    onkeydown: (event: KeyboardEvent) => event.key === "Enter" && tell(),
  });
  input.value = value;
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  return h("div", { class: "search" }, icon("search"), input);
}
