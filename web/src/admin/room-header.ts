import { Code, ConnectError } from "@connectrpc/connect";
import { OverloadPolicy, type Room } from "../../../gen/baccarat/v1/room_pb.ts";
import { fill, h } from "../dom.ts";
import { duration, plural } from "../format.ts";
import { icon } from "../icons.ts";
import { ask } from "./dialog.ts";
import { describeFailure } from "./failure.ts";
import { askSettings } from "./room-settings.ts";
import { textOf } from "./rows.ts";
import { showFailed } from "./states.ts";
import { poll, type ViewContext } from "./view.ts";

/** How often a room's settings and count are read, in milliseconds. */
const EVERY_MS = 3_000;

/** What is special about a room's settings. */
export function roomTags({ frozen, private: hidden, slowModeMs, capacity, overloadPolicy }: Room): HTMLElement {
  const tag = (text: string, kind: string): HTMLElement => h("span", { class: `tag ${kind}` }, text);
  return h(
    "span",
    { class: "tags" },
    frozen && tag("Frozen", "cold"),
    overloadPolicy === OverloadPolicy.LATEST_ONLY && tag("Latest only", ""),
    overloadPolicy === OverloadPolicy.DROP_EPHEMERAL && tag("Drops typing", ""),
    hidden && tag("Private", "warn"),
    slowModeMs > 0 && tag(`Slow, ${slowModeMs < 1_000 ? `${slowModeMs} ms` : duration(slowModeMs)}`, ""),
    capacity > 0 && tag(`At most ${capacity.toLocaleString()}`, ""),
  );
}

/** A room's name, what holds of it now, and what can be done with it as a whole. */
export class RoomHeader {
  readonly element: HTMLElement;
  readonly #context: ViewContext;
  readonly #roomId: string;
  readonly #facts = h("div", { class: "room-facts" });
  readonly #actions = h("div", { class: "actions" });
  /** As read last; undefined when that failed. */
  #room: Room | undefined;

  constructor(context: ViewContext, roomId: string) {
    this.#context = context;
    this.#roomId = roomId;
    this.element = h(
      "header",
      { class: "view-header" },
      h("div", { class: "room-title" }, h("h1", {}, roomId), this.#facts),
      this.#actions,
    );
    poll(EVERY_MS, context.signal, () => this.refresh());
  }

  /** Reads it anew; never rejects. */
  async refresh(): Promise<void> {
    const { api, signal } = this.#context;
    try {
      const { room } = await api.rooms.getRoom({ roomId: this.#roomId }, { signal });
      if (room !== undefined && !signal.aborted) this.#render(room);
    } catch (error) {
      if (signal.aborted) return;
      this.#room = undefined;
      const gone = ConnectError.from(error).code === Code.NotFound;
      fill(this.#actions);
      if (gone)
        fill(this.#facts, h("p", { class: "faint" }, "There is no such room: it was deleted, or never created."));
      else showFailed(this.#facts, "Could not load the room", describeFailure(error));
    }
  }

  #render(room: Room): void {
    const before = this.#room;
    this.#room = room;
    if (before !== undefined && textOf(before) === textOf(room)) return;
    const title = room.title !== "" && h("span", {}, room.title);
    fill(this.#facts, title, h("span", { class: "faint" }, plural(room.memberCount, "member")), roomTags(room));
    // Else they stay, since a dialog gives the focus back to the one it was opened with.
    if (before?.frozen !== room.frozen) this.#renderActions(room.frozen);
  }

  #renderActions(frozen: boolean): void {
    const onRoom = (act: (room: Room) => void) => () => this.#room && act(this.#room);
    const { activeElement } = document;
    const at = activeElement === null ? -1 : [...this.#actions.children].indexOf(activeElement);
    fill(
      this.#actions,
      button(frozen ? "Thaw" : "Freeze", "snow", () => this.#setFrozen(!frozen)),
      button(
        "Settings",
        "edit",
        onRoom((room) => askSettings(this.#context, room, () => void this.refresh())),
      ),
      button(
        "Delete",
        "trash",
        onRoom((room) => this.#askDelete(room)),
      ),
    );
    (this.#actions.children[at] as HTMLElement | undefined)?.focus();
  }

  async #setFrozen(frozen: boolean): Promise<void> {
    const { api, toasts } = this.#context;
    try {
      const room = { roomId: this.#roomId, frozen };
      await api.rooms.updateRoom({ room, updateMask: { paths: ["frozen"] } });
      toasts.say(frozen ? "The room is frozen." : "The room is thawed.", "good");
    } catch (error) {
      const { message, reason } = describeFailure(error);
      toasts.say(`${message} (${reason})`, "bad");
    }
    await this.refresh();
  }

  #askDelete({ roomId, memberCount }: Room): void {
    const { api, toasts, go } = this.#context;
    ask({
      title: `Delete ${roomId}?`,
      text: `Its ${plural(memberCount, "member")} will be taken out, and its bans and mutes go with it. The id answers “room not found” until it is created again.`,
      typed: roomId,
      act: "Delete room",
      danger: true,
      run: async () => {
        await api.rooms.deleteRoom({ roomId });
        toasts.say(`Room ${roomId} was deleted.`, "good");
        go({ view: "rooms", prefix: "" });
      },
    });
  }
}

function button(label: string, picture: Parameters<typeof icon>[0], act: () => unknown): HTMLElement {
  return h("button", { class: "button small", type: "button", onclick: () => void act() }, icon(picture), label);
}
