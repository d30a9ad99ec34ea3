import { create } from "@bufbuild/protobuf";
import {
  type AttachRequest,
  type AttachResponse,
  DoneSchema,
  type EdgeCommand,
  type Hello,
  type MemberPolicy,
  type Reply,
  type SyncEnd,
} from "../../gen/baccarat/v1/edge_service_pb.ts";
import { RoomError, toRoomError } from "../errors.ts";
import type { RoomId, Uid } from "../ids.ts";
import { FIXED } from "../limits.ts";
import type { Logger } from "../log.ts";
import type { Tracer } from "../tracing.ts";
import type { Answer, AttachCommands } from "./attach-commands.ts";
import { AttachOutbox, type SizedUpdate } from "./attach-outbox.ts";
import { AttachSession } from "./attach-session.ts";
import { attached, digest, drain, failure, fenced, policyOf, reply, revoked, roomSnapshot } from "./attach-updates.ts";
import type { ControlFold } from "./control-fold.ts";
import type { ControlWriter } from "./control-writer.ts";
import type { Conversations } from "./conversations.ts";
import type { Digests } from "./digests.ts";
import { eachBounded } from "./each-bounded.ts";
import type { Change, FoldedEntry, FoldedRoom } from "./folded.ts";
import { KeyedQueue } from "./keyed-queue.ts";
import { cutPage } from "./paging.ts";
import type { Rooms } from "./rooms.ts";

/** What an attachment needs; shared by all of a replica. */
export interface AttachmentParts {
  readonly fold: ControlFold;
  readonly writer: ControlWriter;
  readonly rooms: Rooms;
  readonly commands: AttachCommands;
  readonly digests: Digests;
  readonly conversations: Conversations;
  readonly epoch: string;
  /** Default: commands are not traced. */
  readonly tracer?: Tracer | undefined;
  readonly log: Logger;
}

/** Commands of one edge carried out at once; further ones wait in the stream. */
const MAX_RUNNING = 1_024;
/** Entries deleted at once while attaching. */
const WRITES = 64;
/** Longest id of an edge or of a run of it, in characters. */
const MAX_ID = 128;
/** Revocations told at once. */
const REVOCATIONS = 500;
/** Heads of one digest. */
const DIGEST_HEADS = 1_000;

/**
 * One edge's stream. Until the edge has said what it has, it only hears of decisions it missed; then it is given the
 * state of its rooms, and from there on every change of them. Whatever the control log has of this run of the edge, and
 * the edge does not, is deleted: so nothing stays behind of a stream that broke in the middle of a command.
 */
export class Attachment {
  readonly #parts: AttachmentParts;
  readonly #onHello: (attachment: Attachment) => void;
  readonly #outbox = new AttachOutbox();
  readonly #queue = new KeyedQueue();
  readonly #over = new AbortController();
  /** Rooms whose snapshot was not made yet: changes up to then are part of it. */
  readonly #unsent = new Set<RoomId>();
  #session: AttachSession | undefined;
  #claimedAt = 0;
  #inStep = false;
  #running = 0;
  /** Settled when one of them is done; undefined while nobody waits for that. */
  #ran: PromiseWithResolvers<void> | undefined;

  /** @param options.onHello hears when it is known who attaches, before the first answer. */
  constructor(options: { parts: AttachmentParts; onHello: (attachment: Attachment) => void }) {
    this.#parts = options.parts;
    this.#onHello = options.onHello;
  }

  /** Run of the edge; empty before its hello. */
  get incarnation(): string {
    return this.#session?.incarnation ?? "";
  }

  /** Name of the edge; empty before its hello. */
  get edgeId(): string {
    return this.#session?.edgeId ?? "";
  }

  /** What is sent to the edge. @throws RoomError unavailable when it has to attach anew. */
  responses(): AsyncIterable<AttachResponse> {
    return this.#outbox.responses();
  }

  /** Reads the edge's requests until either side ends the stream. Never rejects. */
  async read(requests: AsyncIterable<AttachRequest>): Promise<void> {
    try {
      for await (const request of requests) {
        if (request.hello !== undefined) await this.#begin(request.hello);
        for (const command of request.commands) {
          if (!this.#hasSpace) await this.#space();
          if (this.#over.signal.aborted) return;
          if (command.command.case === "syncEnd") await this.#syncEnd(command.requestId, command.command.value);
          else this.#start(command);
        }
      }
      this.end();
    } catch (error) {
      this.end(isCutOff(error) ? new RoomError("unavailable", "the connection broke") : this.#toRoomError(error));
    }
  }

  /** Ends the stream: at once with an error, else after what waits to be sent. Idempotent. */
  end(error?: RoomError): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.#ran?.resolve();
    if (error === undefined) this.#outbox.finish();
    else this.#outbox.fail(error);
  }

  /** Tells the edge something that does not depend on a room. */
  tell(sized: SizedUpdate): void {
    if (this.#inStep) this.#push(sized);
  }

  /** Tells the edge something about a room it hosts. */
  tellRoom(room: RoomId, sized: SizedUpdate): void {
    if (this.#inStep && !this.#unsent.has(room)) this.#push(sized);
  }

  /** Follows what the control log says of this run of the edge. */
  onChange(change: Change): void {
    switch (change.kind) {
      case "entry":
      case "entry_gone":
        this.#onEntry(change.entry, change.kind === "entry_gone");
        break;
      case "client": {
        const client = this.#session?.clients.get(change.client.clientId);
        const closed = change.client.value?.closed;
        if (client !== undefined && closed !== undefined) this.#session?.disconnect(client, closed);
        break;
      }
      case "drain":
        this.tell(drain());
        break;
      case "revoked":
        this.#push(revoked([change.revocation], false));
        break;
      case "fenced":
        this.#push(fenced());
        this.end();
        break;
      case "attached":
        if (change.incarnation.attachedAt > this.#claimedAt) {
          this.end(new RoomError("unavailable", "the edge attached again"));
        }
        break;
    }
  }

  async #begin({ edgeId, incarnation }: Hello): Promise<void> {
    const valid = edgeId !== "" && edgeId.length <= MAX_ID && incarnation !== "" && incarnation.length <= MAX_ID;
    if (this.#session !== undefined || !valid) throw new RoomError("invalid_argument", "one valid hello is expected");
    const push = (sized: SizedUpdate): void => this.#push(sized);
    this.#session = new AttachSession({ edgeId, incarnation, signal: this.#over.signal, push });
    this.#claimedAt = await this.#parts.writer.claimAttachment(incarnation);
    const run = this.#parts.fold.connections.incarnations.get(incarnation);
    if (run?.fence !== undefined) {
      this.#push(fenced());
      this.end();
    } else if ((run?.attachedAt ?? 0) > this.#claimedAt) {
      this.end(new RoomError("unavailable", "the edge attached again"));
    } else {
      this.#onHello(this);
      this.#tellRevoked();
    }
  }

  /** Before anything else: an edge that was cut off must not let anyone in meanwhile whom it should not. */
  #tellRevoked(): void {
    const revocations = this.#parts.fold.revoked.all().map((folded) => folded.revocation);
    for (let start = 0; start === 0 || start < revocations.length; start += REVOCATIONS) {
      this.#push(revoked(revocations.slice(start, start + REVOCATIONS), start === 0));
    }
  }

  #start(command: EdgeCommand): void {
    const session = this.#requireSession();
    const startedAt = performance.now();
    const clientId = clientOf(command);
    const answer = this.#answerTo(command);
    this.#running++;
    void this.#queue.run(clientId, async () => {
      try {
        const late = performance.now() - startedAt > FIXED.requestMs;
        await this.#parts.commands.execute(session, command.command, late, answer);
      } catch (error) {
        if (!this.#over.signal.aborted) answer.failed(error);
      } finally {
        this.#running--;
        this.#ran?.resolve();
      }
    });
  }

  #answerTo({ requestId, command, trace }: EdgeCommand): Answer {
    const span = trace && this.#parts.tracer?.begin(`attach ${command.case}`, { kind: "server", parent: trace });
    const say = (result: Reply["result"]): void => {
      if (requestId !== 0) this.#push(reply(requestId, result));
    };
    const done = (result: Reply["result"]): void => {
      span?.end();
      say(result);
    };
    const failed = (error: unknown): void => {
      const known = this.#toRoomError(error);
      span?.end(known);
      if (requestId === 0) this.#parts.log.warn({ err: known, command: command.case }, "a command failed unheard");
      say(failure(known));
    };
    return { span, done, failed };
  }

  /** True when another command may be begun. */
  get #hasSpace(): boolean {
    return this.#running < MAX_RUNNING && this.#outbox.hasSpace;
  }

  /** Resolves when that is so, or at the end. */
  async #space(): Promise<void> {
    await this.#outbox.space();
    while (this.#running >= MAX_RUNNING && !this.#over.signal.aborted) {
      this.#ran = Promise.withResolvers();
      await this.#ran.promise;
    }
  }

  async #syncEnd(requestId: number, { directSeq }: SyncEnd): Promise<void> {
    const session = this.#requireSession();
    await this.#queue.settled();
    const run = this.#parts.fold.connections.incarnations.get(session.incarnation);
    const clientIds = [...(run?.clients ?? [])].map((client) => client.clientId);
    await eachBounded(clientIds, WRITES, (clientId) => this.#parts.commands.forget(session, clientId));
    for (const client of session.clients.values()) for (const room of client.rooms.keys()) this.#unsent.add(room);
    this.#inStep = true;
    this.#outbox.pushLater(this.#state(session, requestId));
    void this.#tellConversations(session, Number(directSeq));
  }

  /** Tells which conversations of the edge's users grew while nobody told it. */
  async #tellConversations(session: AttachSession, after: number): Promise<void> {
    const uids = new Set([...session.clients.values()].map(({ user }) => user.uid));
    const { heads, seq } = await this.#parts.conversations.grown(after === 0 ? [] : uids, after);
    for (let start = 0; start < heads.length; start += DIGEST_HEADS) {
      this.tell(digest(heads.slice(start, start + DIGEST_HEADS)));
    }
    this.tell(digest([], { after, seq }));
  }

  /** What a newly attached edge is told, made piece by piece as it can be sent. */
  *#state(session: AttachSession, requestId: number): Generator<SizedUpdate> {
    const { fold, rooms, digests, epoch } = this.#parts;
    const hosted = [...this.#unsent];
    for (const id of hosted) {
      this.#unsent.delete(id);
      const room = fold.room(id);
      if (!room?.hosts.has(session.incarnation)) continue;
      const { items } = cutPage(room.members.from(""), FIXED.membersShown, []);
      const members = items.map((member) => member.view());
      const muted = this.#mutedOf(session.incarnation, room);
      yield roomSnapshot(rooms.policy(id), { members, count: room.members.size, muted });
    }
    yield attached(epoch);
    if (fold.connections.incarnations.get(session.incarnation)?.drain !== undefined) yield drain();
    if (requestId !== 0) yield reply(requestId, { case: "done", value: create(DoneSchema) });
    const heads = hosted.flatMap((room) => {
      const seq = digests.head(room);
      return seq === undefined ? [] : [{ room, seq }];
    });
    for (let start = 0; start < heads.length; start += DIGEST_HEADS) {
      yield digest(heads.slice(start, start + DIGEST_HEADS));
    }
  }

  /** Who of an edge's members may not write. */
  #mutedOf(incarnation: string, room: FoldedRoom): MemberPolicy[] {
    const isHere = (uid: Uid): boolean =>
      [...(room.members.get(uid)?.entries.values() ?? [])].some((entry) => entry.incarnation === incarnation);
    const mutes = [...this.#parts.fold.standings.mutes(room.id)];
    return mutes.filter(([uid]) => isHere(uid)).map(([uid, mute]) => policyOf(room.id, uid, mute));
  }

  #onEntry(entry: FoldedEntry, gone: boolean): void {
    const session = this.#session;
    if (session === undefined) return;
    const client = session.clients.get(entry.clientId);
    const state = client?.rooms.get(entry.room);
    if (client !== undefined && state === "joined") {
      // Deleted by a stream that is over: a leave that was on its way when the edge attached again.
      if (gone) session.evict(client, entry.room, { reason: "disconnected", by: "" });
      else if (entry.out !== undefined) session.evict(client, entry.room, entry.out);
    } else if (state === undefined && !gone && this.#inStep) {
      void this.#queue.run(entry.clientId, () => this.#forget(session, entry.clientId));
    }
  }

  async #forget(session: AttachSession, clientId: string): Promise<void> {
    try {
      await this.#parts.commands.forget(session, clientId);
    } catch (error) {
      if (!this.#over.signal.aborted) this.end(this.#toRoomError(error));
    }
  }

  #push(sized: SizedUpdate): void {
    if (!this.#outbox.push(sized)) this.end(new RoomError("unavailable", "the edge reads too slowly"));
  }

  #requireSession(): AttachSession {
    if (this.#session === undefined) throw new RoomError("invalid_argument", "the first request carries hello");
    return this.#session;
  }

  #toRoomError(error: unknown): RoomError {
    return toRoomError(error, (err, correlationId) => this.#parts.log.error({ err, correlationId }, "attach failed"));
  }
}

/** Commands of one client keep their order; every command is about one. */
function clientOf({ command }: EdgeCommand): string {
  if (command.case === "connect") return command.value.client?.clientId ?? "";
  return command.case === undefined || command.case === "syncEnd" ? "" : command.value.clientId;
}

/** The edge, or the network, went away in the middle of a request: that is no fault of anybody here. */
function isCutOff(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ERR_STREAM_PREMATURE_CLOSE" || code === "ECONNRESET";
}
