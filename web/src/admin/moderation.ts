import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { ask, type Field } from "./dialog.ts";
import type { ViewContext } from "./view.ts";

/** A user in a room. */
export interface Target {
  readonly roomId: string;
  /** Empty where it is asked for. */
  readonly uid: string;
  readonly name: string;
}

const MINUTE_MS = 60_000;
const LENGTHS: readonly (readonly [minutes: string, label: string])[] = [
  ["", "Until it is lifted"],
  ["10", "10 minutes"],
  ["60", "1 hour"],
  ["1440", "1 day"],
  ["10080", "1 week"],
];
const REASON: Field = { name: "reason", label: "Reason", maxLength: 256, hint: "For the audit log" };
const LENGTH: Field = { name: "minutes", label: "For how long", kind: "select", choices: LENGTHS };

/** Asks whether a user shall be taken out of a room. */
export function askKick({ api, toasts }: ViewContext, { roomId, uid, name }: Target, onDone: () => void): void {
  ask({
    title: `Kick ${name}?`,
    text: `${name} is taken out of ${roomId}, and may come back.`,
    fields: [{ ...REASON, hint: "Shown to the user" }],
    act: "Kick",
    danger: true,
    run: async ({ reason = "" }) => {
      await api.rooms.kickMember({ roomId, uid, reason });
      toasts.say(`${name} was taken out.`, "good");
      onDone();
    },
  });
}

/** Asks for how long a user shall be kept out of a room, and why. Empty room or user: asks which. */
export function askBan({ api, toasts }: ViewContext, target: Target, onDone: () => void): void {
  ask({
    title: target.name === "" ? "Ban a user" : `Ban ${target.name}?`,
    text: "Kept out by every device, at every edge; direct messages are not touched.",
    fields: [
      ...(target.uid === "" ? [{ name: "uid", label: "User id", required: true, maxLength: 64 }] : []),
      ...(target.roomId === "" ? [{ name: "roomId", label: "Room id", required: true, maxLength: 64 }] : []),
      LENGTH,
      REASON,
    ],
    act: "Ban",
    danger: true,
    run: async (values) => {
      const roomId = target.roomId || (values.roomId ?? "");
      const uid = target.uid || (values.uid ?? "");
      await api.rooms.banMember({ roomId, uid, reason: values.reason ?? "", ...expiration(values.minutes) });
      toasts.say(`${target.name || uid} is banned from ${roomId}.`, "good");
      onDone();
    },
  });
}

/** Asks for how long a user shall not write in a room, and why. */
export function askMute({ api, toasts }: ViewContext, { roomId, uid, name }: Target, onDone: () => void): void {
  const unmute = { name: "lift", label: "Lift a mute instead", kind: "check", act: "Lift the mute" } as const;
  ask({
    title: `Mute ${name}?`,
    text: `${name} goes on reading ${roomId}, but cannot write.`,
    fields: [LENGTH, { ...REASON, hint: "Shown to the members" }, unmute],
    act: "Mute",
    run: async ({ reason = "", minutes, lift }) => {
      if (lift === "on") await api.rooms.unmuteMember({ roomId, uid, reason });
      else await api.rooms.muteMember({ roomId, uid, reason, ...expiration(minutes) });
      toasts.say(lift === "on" ? `${name} may write again.` : `${name} is muted.`, "good");
      onDone();
    },
  });
}

/** Asks whether a ban shall be lifted. */
export function askUnban({ api, toasts }: ViewContext, { roomId, uid, name }: Target, onDone: () => void): void {
  ask({
    title: `Lift the ban of ${name}?`,
    text: `${name} may join ${roomId} again.`,
    fields: [REASON],
    act: "Lift the ban",
    run: async ({ reason = "" }) => {
      await api.rooms.unbanMember({ roomId, uid, reason });
      toasts.say(`${name} may come back.`, "good");
      onDone();
    },
  });
}

function expiration(minutes: string | undefined) {
  if (minutes === undefined || minutes === "") return {};
  return { expiration: { case: "duration", value: durationFromMs(Number(minutes) * MINUTE_MS) } } as const;
}
