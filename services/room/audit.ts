import { randomBytes } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { AuditRecordSchema } from "../../gen/baccarat/v1/control_pb.ts";
import {
  type AuditAction,
  AuditActionSchema,
  type AuditEvent,
  AuditEventSchema,
} from "../../gen/baccarat/v1/moderation_pb.ts";
import { controlKeys } from "../control-keys.ts";
import { RoomError } from "../errors.ts";
import type { RoomId, Uid } from "../ids.ts";
import { characters, FIXED } from "../limits.ts";
import type { Logger } from "../log.ts";
import type { AuditTrail } from "./audit-trail.ts";
import type { ControlWriter } from "./control-writer.ts";
import { cutPage, decodePageToken, pageNumber, pageSize } from "./paging.ts";

/** Something that is about to be done. */
export interface Act {
  readonly action: AuditAction;
  /** Who: `service:<token name>` or a moderator's uid. */
  readonly actor: string;
  /** Whom it is about. */
  readonly uid?: string;
  /** Where. */
  readonly room?: RoomId;
  /** Why. */
  readonly reason?: string;
  /** What else there is to know, by the names of fields. */
  readonly facts?: Readonly<Record<string, string>>;
}

/** A page of what was done, newest first. */
export interface AuditPage {
  readonly events: readonly AuditEvent[];
  readonly nextPageToken: string;
}

/**
 * What moderators and operators did: recorded before it is done, so that nothing is done unrecorded.
 *
 * It is kept in the control log rather than in a log of its own beside the rooms'. The control log has one order for acts
 * and their effects, outlives the messages' retention (by default a week, and 1,000 events of a room), and no name of it
 * can be addressed as a room. It costs every replica some megabytes of memory, in which ListAuditEvents finds its answers.
 */
export class Audit {
  readonly #trail: AuditTrail;
  readonly #writer: ControlWriter;
  readonly #log: Logger;
  readonly #now: () => number;

  constructor(options: { trail: AuditTrail; writer: ControlWriter; log: Logger; now: () => number }) {
    this.#trail = options.trail;
    this.#writer = options.writer;
    this.#log = options.log;
    this.#now = options.now;
  }

  /** Stores what is about to be done; it is in the list when this resolves. @throws RoomError unavailable. */
  async record({ action, actor, uid, room, reason, facts }: Act): Promise<void> {
    const now = this.#now();
    const event = create(AuditEventSchema, {
      createTime: timestampFromMs(now),
      action,
      actor,
      uid: uid ?? "",
      roomId: room ?? "",
      reason: beginning(reason ?? ""),
      facts: Object.fromEntries(Object.entries(facts ?? {}).map(([name, text]) => [name, beginning(text)])),
    });
    this.#log.info(
      { action: AuditActionSchema.value[action]?.localName.toLowerCase(), room },
      "an operator or moderator acts",
    );
    const id = `${now.toString(36)}-${randomBytes(9).toString("base64url")}`;
    await this.#writer.put(controlKeys.audit(id), AuditRecordSchema, create(AuditRecordSchema, { event }));
  }

  /**
   * A page of what was done, newest first. What is done while somebody pages appears in no later page.
   * @throws RoomError invalid_argument.
   */
  list(request: {
    pageSize: number;
    pageToken: string;
    room: RoomId | undefined;
    uid: Uid | undefined;
    actor: string | undefined;
  }): AuditPage {
    const { room, uid, actor } = request;
    const scope = ["audit", room ?? "", uid ?? "", actor ?? ""];
    const token = decodePageToken(scope, request.pageToken);
    const from = token === undefined ? undefined : pageNumber(token);
    const size = pageSize(request.pageSize, FIXED.pageDefault, FIXED.pageSize);
    const { items, nextPageToken } = cutPage(this.#matching(request, from), size, scope);
    return { events: items, nextPageToken };
  }

  *#matching(
    { room, uid, actor }: { room: RoomId | undefined; uid: Uid | undefined; actor: string | undefined },
    from: number | undefined,
  ): Generator<readonly [string, AuditEvent]> {
    for (const { revision, event } of this.#trail.newest(from)) {
      if (room !== undefined && event.roomId !== room) continue;
      if (uid !== undefined && event.uid !== uid) continue;
      if (actor !== undefined && event.actor !== actor) continue;
      yield [String(revision), event];
    }
  }
}

/** @throws RoomError invalid_argument when a reason is too long to be kept. */
export function checkReason(reason: string): void {
  if (characters(reason) <= FIXED.reasonChars) return;
  throw new RoomError("invalid_argument", `reason has at most ${FIXED.reasonChars} characters`, {
    metadata: { field: "reason" },
  });
}

/** A notice, or the names of a room's metadata, may be longer than what is kept of them. */
function beginning(text: string): string {
  return [...text].slice(0, FIXED.reasonChars).join("");
}
