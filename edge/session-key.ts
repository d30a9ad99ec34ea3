import { randomBytes } from "node:crypto";
import type { ControlStore } from "../broker/broker.ts";
import { controlKeys } from "../services/control-keys.ts";
import { RoomError } from "../services/errors.ts";

const KEY_BYTES = 32;

/** The key by which all edges of a cluster sign guests' sessions; the first one that asks makes it. @throws RoomError unavailable. */
export async function loadSessionKey(control: ControlStore): Promise<Uint8Array> {
  const stored = await control.get(controlKeys.sessionSecret);
  if (stored?.value) return stored.value;
  const made = randomBytes(KEY_BYTES);
  if ((await control.create(controlKeys.sessionSecret, made)) !== undefined) return made;
  const others = await control.get(controlKeys.sessionSecret);
  if (others?.value) return others.value;
  throw new RoomError("unavailable", "the session key was deleted while it was read");
}
