import { OverloadPolicy, type Room, RoomSchema } from "../../../gen/baccarat/v1/room_pb.ts";
import { ask, type Field } from "./dialog.ts";
import { readSettings, writePairs } from "./room-values.ts";
import type { ViewContext } from "./view.ts";

/** What members are not given when there is more than they can take. */
const OVERLOAD_POLICIES: readonly (readonly [value: string, label: string])[] = [
  [String(OverloadPolicy.QUEUE), "Give all, close who is too slow"],
  [String(OverloadPolicy.DROP_EPHEMERAL), "Leave out typing and presence"],
  [String(OverloadPolicy.LATEST_ONLY), "Only the latest of each snapshot key"],
];

/** Asks for a new room, and shows it. */
export function askNewRoom({ api, toasts, go }: ViewContext, roomId: string): void {
  ask({
    title: "New room",
    fields: [
      { name: "roomId", label: "Room id", value: roomId, required: true, maxLength: 64, hint: ID_RULE },
      ...settingFields(),
    ],
    act: "Create room",
    run: async (values) => {
      const room = { roomId: values.roomId?.trim() ?? "", ...readSettings(values) };
      await api.rooms.createRoom({ room });
      toasts.say(`Room ${room.roomId} was created.`, "good");
      go({ view: "room", room: room.roomId });
    },
  });
}

/** Asks for a room's new settings. */
export function askSettings({ api, toasts }: ViewContext, room: Room, onChanged: () => void): void {
  const fields = settingFields(room);
  ask({
    title: `Settings of ${room.roomId}`,
    fields,
    act: "Save",
    run: async (values) => {
      // Only what was changed here: somebody else may change something at the same time.
      const changed = fields.filter(({ name, value }) => values[name] !== value).map(({ name }) => name);
      const paths = RoomSchema.fields.filter(({ localName }) => changed.includes(localName)).map(({ name }) => name);
      const settings = { roomId: room.roomId, ...readSettings(values) };
      if (paths.length > 0) await api.rooms.updateRoom({ room: settings, updateMask: { paths } });
      toasts.say("The settings were saved.", "good");
      onChanged();
    },
  });
}

const ID_RULE = "1 to 64 letters, digits and _ . : @ -";

function settingFields(room?: Room): readonly Field[] {
  const metadata = room === undefined ? {} : room.metadata;
  return [
    { name: "title", label: "Title", value: room?.title ?? "", maxLength: 128 },
    {
      name: "capacity",
      label: "Most members",
      kind: "number",
      value: String(room?.capacity ?? 0),
      hint: "0: as many as the server allows",
    },
    {
      name: "slowModeMs",
      label: "Slow mode, in milliseconds",
      kind: "number",
      value: String(room?.slowModeMs ?? 0),
      hint: "Least time between two messages of one member; 0: off",
    },
    {
      name: "private",
      label: "Private",
      kind: "check",
      value: mark(room?.private),
      hint: "Only who is named or invited",
    },
    {
      name: "frozen",
      label: "Frozen",
      kind: "check",
      value: mark(room?.frozen),
      hint: "Only moderators and services may write",
    },
    {
      name: "overloadPolicy",
      label: "When there is too much to give",
      kind: "select",
      value: String(room?.overloadPolicy || OverloadPolicy.QUEUE),
      choices: OVERLOAD_POLICIES,
    },
    {
      name: "conflationIntervalMs",
      label: "Least time between two of a key, in milliseconds",
      kind: "number",
      value: String(room?.conflationIntervalMs ?? 0),
      hint: "For “Only the latest”; 0: the default, 1,000",
    },
    {
      name: "metadata",
      label: "Metadata",
      kind: "area",
      value: writePairs(metadata),
      hint: "The owner’s own data: key=value, one a line",
    },
  ];
}

function mark(on: boolean | undefined): string {
  return on === true ? "on" : "";
}
