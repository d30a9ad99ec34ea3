import { fill, h } from "../dom.ts";
import { icon } from "../icons.ts";

/** The picture beside the name. */
export const LOGO = "/admin/favicon.svg";

/** Asks for a service token. `problem` says why the last one would not do, empty at first. */
export function loginScreen(options: {
  readonly problem: string;
  readonly themeButton: HTMLElement;
  readonly onToken: (token: string) => void;
}): HTMLElement {
  const { problem, themeButton, onToken } = options;
  const token = h("input", {
    name: "token",
    type: "password",
    required: true,
    autocomplete: "current-password",
    spellcheck: "false",
    "aria-invalid": problem !== "" && "true",
    "aria-describedby": problem !== "" && "login-problem",
  });
  const eye = h("button", { class: "icon-button", type: "button", onclick: () => show(token.type === "password") });
  const show = (shown: boolean): void => {
    token.type = shown ? "text" : "password";
    eye.setAttribute("aria-pressed", String(shown));
    eye.setAttribute("aria-label", "Show the token");
    fill(eye, icon("eye"));
  };
  show(false);
  const form = h(
    "form",
    {
      class: "sheet-form",
      onsubmit: (event: SubmitEvent) => {
        event.preventDefault();
        onToken(token.value.trim());
      },
    },
    h("h1", {}, "Operators’ console"),
    h("p", { class: "faint" }, "Log in with the secret of a service token from ", h("code", {}, "RPC_TOKENS"), "."),
    problem !== "" && h("p", { class: "problem", role: "alert", id: "login-problem" }, icon("alert"), problem),
    h(
      "label",
      { class: "field" },
      h("span", {}, "Service token"),
      h("span", { class: "with-button" }, token, eye),
      h("span", { class: "hint" }, "Scope read shows everything; what changes something needs scope publish or admin."),
    ),
    h("button", { class: "button primary" }, "Log in"),
    h("p", { class: "hint" }, "It stays in this tab until you close it, or forget it in the console."),
  );
  const logo = h("img", { src: LOGO, alt: "", width: 40, height: 40 });
  return h(
    "div",
    { class: "entrance" },
    h("div", { class: "corner" }, themeButton),
    h("main", { class: "card" }, logo, form),
  );
}
