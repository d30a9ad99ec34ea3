import type { ControlStore } from "../../broker/broker.ts";
import type { Logger } from "../log.ts";
import { AttachModeration } from "./attach-moderation.ts";
import { Audit } from "./audit.ts";
import type { ControlFold } from "./control-fold.ts";
import type { ControlWriter } from "./control-writer.ts";
import { Housekeeper } from "./housekeeper.ts";
import type { Membership } from "./membership.ts";
import { Moderation } from "./moderation.ts";
import { RoomAdministration } from "./room-administration.ts";
import type { Rooms } from "./rooms.ts";

/** The part of a replica that is about moderators, what they do, and the record of it. */
export interface Moderating {
  readonly audit: Audit;
  readonly moderation: Moderation;
  readonly administration: RoomAdministration;
  readonly commands: AttachModeration;
  /** Clears away what has ended; to be started and closed. */
  readonly housekeeper: Housekeeper;
}

/** Puts the part together. */
export function createModerating(options: {
  control: ControlStore;
  fold: ControlFold;
  writer: ControlWriter;
  rooms: Rooms;
  membership: Membership;
  log: Logger;
  now: () => number;
}): Moderating {
  const { control, fold, writer, rooms, membership, log, now } = options;
  const audit = new Audit({ trail: fold.audit, writer, log, now });
  const moderation = new Moderation({ control, fold, writer, membership, audit, now });
  const administration = new RoomAdministration({ rooms, moderation, audit });
  const commands = new AttachModeration({ rooms, membership, moderation, administration });
  const housekeeper = new Housekeeper({ control, fold, writer, log, now });
  return { audit, moderation, administration, commands, housekeeper };
}
