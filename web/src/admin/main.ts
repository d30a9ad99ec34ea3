import { h } from "../dom.ts";
import { Saved } from "../saved.ts";
import { browserStores } from "../stores.ts";
import { themeButton } from "../theme.ts";
import { type Api, openApi } from "./api.ts";
import { describeFailure, type Failure } from "./failure.ts";
import { loginScreen } from "./login.ts";
import { Session } from "./session.ts";
import { Shell } from "./shell.ts";
import { failed, loading } from "./states.ts";

const stores = browserStores();
const saved = new Saved(stores);
const session = new Session(stores);

/** Asks the server whether the token of this tab, or none, will do, and shows the console or asks for one. */
async function begin(): Promise<void> {
  const { token } = session;
  let shell: Shell | undefined;
  const onFailure = (failure: Failure): void => {
    if (shell === undefined) return;
    if (failure.reason === "unauthenticated") {
      shell.close();
      session.forget();
      logIn("The token is no longer accepted. It was changed or taken back.");
    } else if (failure.scope !== undefined) shell.lacks(failure.scope);
  };
  const api = openApi({ baseUrl: location.origin, token, onFailure });
  show(h("main", { class: "entrance" }, loading(3)));
  const failure = await tryOut(api);
  if (failure === undefined) {
    shell = new Shell({ api, open: token === undefined, themeButton: themeButton(saved), onForget: forget });
    show(shell.element);
    shell.start();
  } else if (failure.reason === "unauthenticated" || failure.scope !== undefined) {
    session.forget();
    logIn(token === undefined ? "" : refusal(failure));
  } else
    show(
      h(
        "main",
        { class: "entrance" },
        failed("The console cannot be opened", failure, () => void begin()),
      ),
    );
}

/** The cheapest call that needs what the console needs everywhere; undefined when it was answered. */
async function tryOut(api: Api): Promise<Failure | undefined> {
  try {
    await api.admin.getStats({});
    return undefined;
  } catch (error) {
    return describeFailure(error);
  }
}

function refusal({ scope, message }: Failure): string {
  if (scope === undefined) return `This token is not accepted: ${message}`;
  return `The server knows this token, but it lacks the scope “${scope}”, which the console needs to show anything.`;
}

function logIn(problem: string): void {
  const onToken = (token: string): void => {
    session.remember(token);
    void begin();
  };
  const screen = loginScreen({ problem, themeButton: themeButton(saved), onToken });
  document.title = "Console · baccarat";
  show(screen);
  screen.querySelector("input")?.focus();
}

function forget(): void {
  session.forget();
  logIn("");
}

function show(element: HTMLElement): void {
  for (const dialog of document.querySelectorAll("dialog")) dialog.remove();
  document.body.replaceChildren(element);
}

await begin();
