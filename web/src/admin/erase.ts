import { plural } from "../format.ts";
import { ask } from "./dialog.ts";
import type { ViewContext } from "./view.ts";

/** Asks whether everything that a user wrote shall be deleted, everywhere or in one room. */
export function askErase({ api, toasts }: ViewContext, uid: string, name: string): void {
  ask({
    title: `Delete what ${name} wrote?`,
    text: "Every stored message of this user is wiped, in rooms and direct conversations, and members are told. What is written from now on is not: ban the user, or revoke their tokens, first.",
    fields: [{ name: "roomId", label: "Only in the room", maxLength: 64, hint: "Empty: everywhere" }],
    typed: uid,
    act: "Delete messages",
    danger: true,
    run: async ({ roomId = "" }) => {
      let total = 0;
      let pageToken = "";
      do {
        const page = await api.admin.deleteUserMessages({ uid, roomId, pageToken }, { timeoutMs: PAGE_MS });
        total += page.deleted;
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      toasts.say(`${plural(total, "message")} of ${name} deleted.`, "good");
    },
  });
}

/** Longest wait for a page, in milliseconds: it may look at 100,000 events. */
const PAGE_MS = 30_000;
