import type { Broker, StoredEvent } from "../../broker/broker.ts";
import { AuditAction } from "../../gen/baccarat/v1/moderation_pb.ts";
import { authorize, type Service, senderUid } from "../auth.ts";
import { RoomError } from "../errors.ts";
import type { RoomId, Uid } from "../ids.ts";
import { FIXED } from "../limits.ts";
import type { Publisher } from "../publisher.ts";
import type { Audit } from "./audit.ts";
import { eachBounded } from "./each-bounded.ts";
import { decodePageToken, encodePageToken, pageNumber, pageSize } from "./paging.ts";

/** Whose messages are to go, and which page of them; as in DeleteUserMessagesRequest. */
export interface ErasureRequest {
  readonly uid: Uid;
  /** Undefined: everywhere. */
  readonly room: RoomId | undefined;
  readonly pageSize: number;
  readonly pageToken: string;
}

/** What a page did; as in DeleteUserMessagesResponse. */
export interface ErasedPage {
  readonly deleted: number;
  readonly nextPageToken: string;
  readonly seq: number;
  readonly endSeq: number;
}

/** Events looked at for one page, and the longest time for that, in milliseconds: callers wait for an answer. */
const MOST_EVENTS = 100_000;
const LOOK_MS = 5_000;
/** Deletions under way at once. */
const DELETIONS = 16;

/**
 * Deletes what a user wrote, wherever that is. The log is read from its beginning to where it ended when the first page
 * was asked for, so that it comes to an end although every deletion makes the log longer; the token says how far it is,
 * so a page that failed can be asked again, at any replica: what is deleted already is found no more.
 */
export class Erasure {
  readonly #broker: Broker;
  readonly #publisher: Publisher;
  readonly #audit: Audit;

  constructor(options: { broker: Broker; publisher: Publisher; audit: Audit }) {
    this.#broker = options.broker;
    this.#publisher = options.publisher;
    this.#audit = options.audit;
  }

  /**
   * Deletes a page, after it was recorded.
   * @throws RoomError permission_denied, invalid_argument, unavailable: some of the page may be deleted then.
   */
  async deletePage(service: Service, request: ErasureRequest): Promise<ErasedPage> {
    const { uid, room } = request;
    const scope = ["erase", uid, room ?? ""];
    const size = pageSize(request.pageSize, FIXED.pageDefault, FIXED.pageSize);
    const [after = 0, endSeq = await this.#broker.logEnd()] = positions(decodePageToken(scope, request.pageToken));
    const { found, seq } = await this.#look(new Stretch({ uid, room, after, end: endSeq, size }));
    const last = found.at(-1);
    if (last !== undefined) {
      const facts = { messages: String(found.length), seq: String(last.seq) };
      const act = { action: AuditAction.DELETE_USER_MESSAGES, actor: senderUid(service), uid, facts };
      await this.#audit.record({ ...act, ...(room && { room }) });
      await eachBounded(found, DELETIONS, (stored) => this.#delete(service, stored));
    }
    const nextPageToken = seq >= endSeq ? "" : encodePageToken(scope, `${seq}.${endSeq}`);
    return { deleted: found.length, nextPageToken, seq, endSeq };
  }

  async #delete(service: Service, { room, seq }: StoredEvent): Promise<void> {
    const access = { room };
    authorize(service, "delete_any", access);
    await this.#publisher.deleteMessage(service, access, seq);
  }

  /** The log as a whole: rooms with default settings are listed nowhere, and what retention only hides is to go as well. */
  async #look(stretch: Stretch): Promise<Stretch> {
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const from = stretch.seq;
    if (stretch.isComplete) return stretch;
    const hear = (stored: StoredEvent): void => {
      stretch.take(stored);
      if (stretch.isComplete) resolve();
    };
    const caughtUp = (): void => {
      stretch.end();
      resolve();
    };
    const stop = await this.#broker.tail(from, hear, caughtUp);
    const timer = setTimeout(resolve, LOOK_MS);
    try {
      await done;
    } finally {
      clearTimeout(timer);
      stop();
    }
    if (stretch.seq === from) throw new RoomError("unavailable", "the log cannot be read now");
    return stretch;
  }
}

/** Takes a token's `<after>.<end>` apart. @throws RoomError invalid_argument. */
function positions(token: string | undefined): readonly number[] {
  return token === undefined ? [] : token.split(".", 2).map((part) => pageNumber(part));
}

/** A part of the log that is looked through for a page. */
class Stretch {
  /** The user's messages in it, in order. */
  readonly found: StoredEvent[] = [];
  /** Everything up to here was looked at. */
  seq: number;
  readonly #isTheirs: (stored: StoredEvent) => boolean;
  readonly #end: number;
  readonly #size: number;
  #looked = 0;

  constructor(options: { uid: Uid; room: RoomId | undefined; after: number; end: number; size: number }) {
    const { uid, room } = options;
    this.#isTheirs = ({ room: at, event: { body } }) =>
      body.case === "message" && body.value.uid === uid && (room === undefined || at === room);
    this.seq = options.after;
    this.#end = options.end;
    this.#size = options.size;
  }

  /** True when no more is to be looked at for this page. */
  get isComplete(): boolean {
    return this.seq >= this.#end || this.found.length >= this.#size || this.#looked >= MOST_EVENTS;
  }

  /** Takes the next event of the log. */
  take(stored: StoredEvent): void {
    if (this.isComplete) return;
    this.#looked++;
    this.seq = Math.min(stored.seq, this.#end);
    if (stored.seq <= this.#end && this.#isTheirs(stored)) this.found.push(stored);
  }

  /** The log has no more. What was left for the next page is still to be looked at. */
  end(): void {
    if (!this.isComplete) this.seq = this.#end;
  }
}
