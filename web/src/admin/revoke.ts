import { ask } from "./dialog.ts";
import type { ViewContext } from "./view.ts";

/** Asks which tokens shall be taken back: all of a user, or one by its id. */
export function askRevoke({ api, toasts }: ViewContext, uid: string): void {
  ask({
    title: "Revoke tokens",
    text: "Connections that came with such a token are closed with 4501, and logins with it are refused, within a second and for seven days.",
    fields: [
      { name: "uid", label: "All tokens of the user", value: uid, maxLength: 64, hint: "Those issued until now" },
      ...(uid === "" ? [{ name: "tokenId", label: "Or the one token of this id (jti)", maxLength: 128 }] : []),
      { name: "reason", label: "Reason", maxLength: 256, hint: "For the audit log" },
    ],
    act: "Revoke",
    danger: true,
    run: async ({ uid: user = "", tokenId = "", reason = "" }) => {
      await api.admin.revokeTokens({ uid: user, tokenId, reason });
      toasts.say("The tokens were taken back.", "good");
    },
  });
}
