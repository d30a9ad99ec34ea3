import { setTimeout as delay } from "node:timers/promises";
import type { CaughtUp } from "../gen/baccarat/v1/edge_service_pb.ts";
import { RoomError } from "../services/errors.ts";
import type { RoomId } from "../services/ids.ts";
import { FIXED } from "../services/limits.ts";
import type { Logger } from "../services/log.ts";
import { within } from "../services/within.ts";
import type { Connection } from "./connection.ts";
import { conversationFields, encodeTruncated } from "./direct-frames.ts";
import type { DirectListener } from "./direct-listener.ts";
import type { DirectUsers, UserPast } from "./direct-users.ts";
import { type ConversationFields, encodeEvent } from "./frame-encoders.ts";
import type { Position } from "./frames.ts";
import type { Greeting } from "./greeting.ts";
import type { RoomLink } from "./room-link.ts";
import { storedEvent } from "./stored-event.ts";

/** What an entrance needs. */
export interface EntranceOptions {
  readonly link: RoomLink;
  readonly users: DirectUsers;
  /** Epoch of the log. */
  readonly epoch: string;
  readonly welcome: (connection: Connection, id: string | undefined, direct: readonly ConversationFields[]) => void;
  readonly log: Logger;
}

/** How long until what could not be asked is asked again, in milliseconds, at random between this and twice this. */
const RETRY_MS = 2_000;

/**
 * How users enter who may have been away: welcome names their conversations, and what they missed follows. It waits for
 * the control plane, but not for long: without it welcome has no conversations, an `unavailable` follows, and what was
 * missed is told by name once somebody knows.
 */
export class DirectEntrance {
  readonly #options: EntranceOptions;

  constructor(options: EntranceOptions) {
    this.#options = options;
  }

  /** Welcomes a client and lets it go live. Never rejects. */
  async enter(connection: Connection, listener: DirectListener, { id, since }: Greeting): Promise<void> {
    const { users, welcome } = this.#options;
    const asked = this.#ask(connection, since);
    try {
      const answer = await within(FIXED.welcomeMs, asked);
      if (!connection.isOpen) return;
      welcome(connection, id, answer.conversations.map(conversationFields));
      users.begin(listener, this.#pastOf(answer));
    } catch (error) {
      if (!connection.isOpen) return;
      welcome(connection, id, []);
      users.begin(listener, undefined);
      connection.sendError(error, "login");
      void this.#tellLater(connection, listener, since, asked);
    }
  }

  async #tellLater(
    connection: Connection,
    listener: DirectListener,
    since: Position | undefined,
    first: Promise<CaughtUp>,
  ): Promise<void> {
    for (let asked: Promise<CaughtUp> | undefined = first; ; asked = undefined) {
      try {
        // Awaited whatever became of the connection: a rejection nobody hears would end the process.
        const answer = await (asked ?? this.#ask(connection, since));
        if (connection.isOpen) this.#options.users.tell(listener, this.#pastOf(answer, answer.events.map(roomOf)));
        return;
      } catch (error) {
        this.#options.log.debug({ err: error }, "what a user missed could not be asked; trying again");
      }
      await delay(RETRY_MS * (1 + Math.random()), undefined, { ref: false });
      if (!connection.isOpen) return;
    }
  }

  async #ask(connection: Connection, since: Position | undefined): Promise<CaughtUp> {
    const position = since && { epoch: since.epoch, seq: BigInt(since.seq) };
    const value = { clientId: connection.id, ...(position && { since: position }) };
    const answer = await this.#options.link.ask({ case: "catchUp", value });
    if (answer.case === "caughtUp") return answer.value;
    throw new RoomError("internal", "what was missed was answered by something else");
  }

  /** @param unsent conversations whose events are not sent any more, so that they are named with the truncated ones. */
  #pastOf(answer: CaughtUp, unsent: readonly string[] = []): UserPast {
    const { epoch } = this.#options;
    const { conversations, events, truncated, moreRooms, cursorSeq } = answer;
    const seq = Number(answer.seq);
    return {
      missed: {
        seq,
        events: events.map((event) => {
          const stored = storedEvent(event.roomId as RoomId, event);
          return { room: stored.room, seq: stored.seq, json: encodeEvent(stored, epoch) };
        }),
        truncated: (overflowed) => {
          const rooms = [...new Set([...truncated, ...unsent, ...overflowed])];
          return rooms.length > 0 || moreRooms ? encodeTruncated({ epoch, seq, rooms, moreRooms }) : undefined;
        },
      },
      cursorSeq: Number(cursorSeq),
      talks: conversations.length > 0,
    };
  }
}

const roomOf = ({ roomId }: { readonly roomId: string }): string => roomId;
