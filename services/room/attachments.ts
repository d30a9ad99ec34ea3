import type { AttachRequest, AttachResponse } from "../../gen/baccarat/v1/edge_service_pb.ts";
import { RoomError } from "../errors.ts";
import { directUsers, type RoomId } from "../ids.ts";
import type { Metrics } from "../metrics.ts";
import type { SizedUpdate } from "./attach-outbox.ts";
import {
  blockChanged,
  digest,
  memberEntered,
  memberExited,
  memberPolicy,
  notice,
  policyOf,
  roomChanged,
  roomPolicy,
} from "./attach-updates.ts";
import { Attachment, type AttachmentParts } from "./attachment.ts";
import type { Digest, Head } from "./digests.ts";
import type { Change, FoldedRoom } from "./folded.ts";

/** Edges attached to this replica at once; each costs a stream and a copy of what it has. */
const MAX_ATTACHMENTS = 1_000;

/** EdgeService.Attach: the streams of the edges that are attached to this replica, and who of them hears what. */
export class Attachments {
  readonly #parts: AttachmentParts;
  readonly #metrics: Metrics | undefined;
  readonly #open = new Set<Attachment>();
  readonly #byIncarnation = new Map<string, Attachment>();

  constructor(options: AttachmentParts & { metrics: Metrics | undefined }) {
    this.#parts = options;
    this.#metrics = options.metrics;
    options.fold.onChange((change) => this.#onChange(change));
  }

  /**
   * Serves one edge's stream until either side ends it.
   * @throws RoomError unavailable when the edge has to attach anew, invalid_argument when it does not keep to the protocol.
   */
  async *attach(requests: AsyncIterable<AttachRequest>, signal: AbortSignal): AsyncGenerator<AttachResponse> {
    if (this.#open.size >= MAX_ATTACHMENTS) throw new RoomError("unavailable", "too many edges are attached here");
    const attachment = new Attachment({ parts: this.#parts, onHello: (known) => this.#add(known) });
    const gone = (): void => attachment.end(new RoomError("unavailable", "the stream was cancelled"));
    signal.addEventListener("abort", gone, { once: true });
    if (signal.aborted) gone();
    this.#open.add(attachment);
    void attachment.read(requests);
    try {
      yield* attachment.responses();
    } finally {
      gone();
      signal.removeEventListener("abort", gone);
      this.#open.delete(attachment);
      if (this.#byIncarnation.get(attachment.incarnation) === attachment) {
        this.#byIncarnation.delete(attachment.incarnation);
        this.#parts.log.info({ incarnation: attachment.incarnation, edge: attachment.edgeId }, "edge detached");
      }
    }
  }

  /** Tells edges where the logs of rooms they host end; those without any are told which stretch of the log was looked at. */
  digest({ heads, after, seq }: Digest): void {
    const byEdge = new Map<Attachment, Head[]>();
    for (const head of heads) {
      for (const attachment of this.#hosts(head.room)) {
        const known = byEdge.get(attachment);
        if (known === undefined) byEdge.set(attachment, [head]);
        else known.push(head);
      }
    }
    for (const attachment of this.#byIncarnation.values()) {
      attachment.tell(digest(byEdge.get(attachment) ?? [], { after, seq }));
    }
  }

  /** Ends every stream; the edges attach elsewhere. */
  close(): void {
    for (const attachment of this.#open) attachment.end(new RoomError("unavailable", "this replica is stopping"));
  }

  #add(attachment: Attachment): void {
    this.#byIncarnation.get(attachment.incarnation)?.end(new RoomError("unavailable", "the edge attached again"));
    this.#byIncarnation.set(attachment.incarnation, attachment);
    this.#parts.log.info({ incarnation: attachment.incarnation, edge: attachment.edgeId }, "edge attached");
  }

  #onChange(change: Change): void {
    switch (change.kind) {
      case "entered": {
        const { room, member } = change;
        this.#metrics?.presenceTransitionsTotal.inc({ kind: "entered" });
        this.#tellRoom(room.id, () => memberEntered(room.id, member.view(), room.members.size));
        break;
      }
      case "exited": {
        const { room, member, reason } = change;
        this.#metrics?.presenceTransitionsTotal.inc({ kind: "exited" });
        this.#tellRoom(room.id, () => memberExited(room.id, member, room.members.size, reason));
        break;
      }
      case "room":
        this.#onRoom(change.room);
        break;
      case "mute": {
        const { room, uid, mute, by, reason } = change;
        this.#tellRoom(room, () => memberPolicy(policyOf(room, uid, mute, { by, reason })));
        break;
      }
      case "entry":
      case "entry_gone":
        this.#byIncarnation.get(change.entry.incarnation)?.onChange(change);
        break;
      case "client":
        this.#byIncarnation.get(change.client.incarnation)?.onChange(change);
        break;
      case "drain":
      case "fenced":
      case "attached":
        this.#byIncarnation.get(change.incarnation.incarnation)?.onChange(change);
        break;
      case "block": {
        const { uid, other, blocked } = change;
        // An edge may remember who may write to whom when both are gone.
        for (const attachment of this.#byIncarnation.values()) attachment.tell(blockChanged(uid, other, blocked));
        break;
      }
      case "revoked":
        for (const attachment of this.#byIncarnation.values()) attachment.onChange(change);
        break;
      case "notice":
        for (const attachment of this.#byIncarnation.values()) attachment.tell(notice(change.notice));
    }
  }

  /** Of a room that was deleted its members hear when they are taken out. */
  #onRoom({ id, record }: FoldedRoom): void {
    const { rooms } = this.#parts;
    this.#tellRoom(id, () => roomPolicy(rooms.policy(id)));
    if (record !== undefined && !record.deleted) this.#tellRoom(id, () => roomChanged(rooms.get(id)));
  }

  /** Makes the update once, and only when somebody hears it. */
  #tellRoom(room: RoomId, make: () => SizedUpdate): void {
    let made: SizedUpdate | undefined;
    for (const attachment of this.#hosts(room)) {
      made ??= make();
      attachment.tellRoom(room, made);
    }
  }

  /** Attached edges that have members in the room, or one of a conversation's users. */
  #hosts(room: RoomId): Set<Attachment> {
    const { connections } = this.#parts.fold;
    const users = directUsers(room);
    const incarnations = users
      ? users.flatMap((uid) => [...connections.ofUser(uid)].map((client) => client.incarnation))
      : [...(this.#parts.fold.room(room)?.hosts.keys() ?? [])];
    return new Set(incarnations.flatMap((incarnation) => this.#byIncarnation.get(incarnation) ?? []));
  }
}
