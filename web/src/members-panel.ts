import type { Member } from "../../client/src/index.ts";
import { avatar } from "./avatar.ts";
import type { Chat } from "./chat.ts";
import { fill, h, renderOn, syncList } from "./dom.ts";
import { icon } from "./icons.ts";
import { rove } from "./roving.ts";
import type { Thread } from "./thread.ts";

/** Who is in a room. Choosing somebody opens the conversation with them. */
export function membersPanel(options: {
  readonly chat: Chat;
  readonly thread: Thread;
  readonly signal: AbortSignal;
  readonly onMember: (member: Member) => void;
}): HTMLElement {
  const { chat, thread } = options;
  const title = h("h2", {});
  const list = h("ul", { class: "members-list" });
  const foot = h("div", { class: "members-foot" });
  let pageToken = "";

  const more = async (): Promise<void> => {
    pageToken = await thread.loadMembers(pageToken);
  };
  const item = (member: Member): HTMLElement => {
    const own = member.uid === chat.self?.uid;
    const label = own ? h("span", { class: "faint" }, "you") : undefined;
    const parts = [avatar(member), h("span", { class: "name" }, member.username), label];
    if (own) return h("li", {}, h("span", { class: "member own" }, ...parts));
    const attributes = { class: "member", type: "button", tabindex: -1, title: `Message ${member.username}` };
    return h("li", {}, h("button", { ...attributes, onclick: () => options.onMember(member) }, ...parts));
  };
  const refresh = rove(list, "button.member");

  renderOn([(listener) => thread.changes.on(listener)], options.signal, () => {
    const { members, count } = thread.roster;
    const self = chat.self?.uid;
    title.hidden = count === 0;
    title.textContent = count === 0 ? "" : `${count.toLocaleString()} here`;
    const keyed = members.map((member) => ({
      key: member.uid,
      rev: `${member.username} ${member.avatarId ?? ""} ${member.uid === self}`,
      member,
    }));
    syncList(list, keyed, ({ member }) => item(member));
    refresh();
    const missing = count - members.length;
    const button = (): HTMLElement =>
      h("button", { class: "button small", type: "button", onclick: () => void more() }, `Show more of ${missing}`);
    if (missing > 0 && members.length > 0) fill(foot, button());
    else if (count === 1) fill(foot, invitation(thread.name));
    else fill(foot);
  });
  return h("div", { class: "members-panel" }, title, list, foot);
}

/** For whoever is alone: how others come here. */
function invitation(room: string): HTMLElement {
  const label = h("span", {}, "Copy link");
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(`${location.origin}/#${room}`);
      label.textContent = "Copied";
    } catch {
      label.textContent = "Could not copy"; // the browser refused, and the address bar shows the same link
    }
  };
  const button = { class: "button small", type: "button", onclick: () => void copy() };
  return h(
    "div",
    { class: "invitation" },
    h("p", { class: "faint" }, "Only you so far."),
    h("button", button, icon("link"), label),
  );
}
