import { h } from "./dom.ts";
import { bucketOf, initials } from "./format.ts";
import { isShapeName, SHAPE_NAMES, shape } from "./icons.ts";

/** Colours the style sheet has for pictures. */
const HUES = 8;

/** A small picture of a user: the one they chose if this page has it, else their initials. Decoration: the name stands beside it. */
export function avatar(user: {
  readonly uid: string;
  readonly username: string;
  readonly avatarId?: string;
}): HTMLElement {
  const { avatarId } = user;
  if (!isShapeName(avatarId)) {
    const letters = initials(user.username);
    return h("span", { class: "avatar", "data-hue": bucketOf(user.uid, HUES), "aria-hidden": "true" }, letters);
  }
  const hue = SHAPE_NAMES.indexOf(avatarId) % HUES;
  return h("span", { class: "avatar", "data-hue": hue, "aria-hidden": "true" }, shape(avatarId));
}
