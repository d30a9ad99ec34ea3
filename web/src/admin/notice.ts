import { ask } from "./dialog.ts";
import type { ViewContext } from "./view.ts";

/** Asks for words that every connection is shown. */
export function askNotice({ api, toasts }: ViewContext): void {
  ask({
    title: "Send a notice",
    text: "Everybody who is connected now sees it, whatever room they are in.",
    fields: [{ name: "message", label: "Notice", kind: "area", required: true, maxLength: 4_000 }],
    act: "Send to everybody",
    run: async ({ message = "" }) => {
      await api.admin.broadcastNotice({ message });
      toasts.say("The notice was sent.", "good");
    },
  });
}
