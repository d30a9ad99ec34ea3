import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { MemberPolicy } from "../gen/baccarat/v1/edge_service_pb.ts";
import type { Signal } from "../gen/baccarat/v1/event_pb.ts";
import type { RoomId } from "../services/ids.ts";
import type { Metrics } from "../services/metrics.ts";
import { SlowMode } from "../services/slow-mode.ts";
import type { FanOut, Flushable, Flushed } from "./fan-out.ts";
import type { Feed, FeedListener } from "./feed.ts";
import { encodeReset, encodeTyping, textFrame } from "./frame-encoders.ts";
import type { Outbox } from "./outbox.ts";
import type { Presence } from "./presence.ts";
import type { Ring } from "./ring.ts";

/** What the edge enforces for a room's members, as the control plane last said. */
export interface Policy {
  readonly frozen: boolean;
  readonly slowModeMs: number;
}

/** What a join granted to one connection. */
export interface Grant {
  readonly moderator: boolean;
  /** In milliseconds since 1970; 0 when not muted, Infinity when until told otherwise. */
  readonly mutedUntilMs: number;
}

/** One connection in one room. */
export interface Member {
  readonly room: HostedRoom;
  readonly uid: string;
  readonly outbox: Outbox;
  grant: Grant;
  /** Where it stands in the room's list; -1 once it left. */
  index: number;
  /** Frames at the start of the room's pending list that are older than the membership. */
  skip: number;
  /** Position it joined at, while events up to there may still come: it has them already. 0 afterwards. */
  after: number;
  /** When it last said that its user is typing, by performance.now(). */
  typedAt: number;
}

interface Frame {
  /** 0 for what is no stored event. */
  readonly seq: number;
  /** When it was sent, in milliseconds since 1970; 0 for what is no stored event. */
  readonly sentMs: number;
  readonly bytes: Buffer;
  /** User who is not told; empty for none. */
  readonly except: string;
}

/** Frames on their way to the members. */
interface Flight {
  readonly frames: readonly Frame[];
  readonly bytes: Buffer;
  readonly members: readonly Member[];
  readonly lastSeq: number;
  /** Users who are not told everything. */
  readonly excepted: ReadonlySet<string> | undefined;
  next: number;
}

/** A room that has members at this edge, or had some a moment ago. */
export class HostedRoom implements Flushable, FeedListener {
  readonly id: RoomId;
  readonly feed: Feed;
  readonly ring: Ring;
  readonly presence: Presence;
  /** Settles when the room's events are heard: rejects with RoomError unavailable when they cannot be. */
  readonly opened: Promise<void>;
  policy: Policy = { frozen: false, slowModeMs: 0 };
  readonly slowMode = new SlowMode();
  /** Greatest seq acknowledged through this edge: the room's feed may not have heard it yet. */
  storedSeq = 0;
  /** Joins and reads under way that need the room to stay. */
  claims = 0;
  /** When the last member left, by performance.now(). */
  idleSince: number;
  readonly #fanOut: FanOut;
  readonly #metrics: Metrics;
  readonly #epoch: string;
  readonly #members: Member[] = [];
  #pending: Frame[] = [];
  #flight: Flight | undefined;

  /** The makers are handed the room, since feed and presence report to it. */
  constructor(options: {
    readonly id: RoomId;
    readonly epoch: string;
    readonly ring: Ring;
    readonly fanOut: FanOut;
    readonly metrics: Metrics;
    readonly makeFeed: (listener: FeedListener) => Feed;
    readonly makePresence: (push: (json: string) => void) => Presence;
  }) {
    this.id = options.id;
    this.ring = options.ring;
    this.#epoch = options.epoch;
    this.#fanOut = options.fanOut;
    this.#metrics = options.metrics;
    this.idleSince = performance.now();
    this.presence = options.makePresence((json) => this.push(json, 0));
    this.feed = options.makeFeed(this);
    this.opened = this.feed.open();
  }

  /** Members at this edge, by connection. */
  get size(): number {
    return this.#members.length;
  }

  /** Makes a connection a member that hears everything from now on, but for events up to `after`. */
  admit(outbox: Outbox, uid: string, grant: Grant, after: number): Member {
    const member: Member = {
      room: this,
      uid,
      outbox,
      grant,
      index: this.#members.length,
      skip: this.#pending.length,
      after: after > this.feed.last ? after : 0,
      typedAt: Number.NEGATIVE_INFINITY,
    };
    this.#members.push(member);
    return member;
  }

  /** Ends a membership. Idempotent. */
  remove(member: Member): void {
    const last = this.#members.at(-1);
    if (member.index < 0 || last === undefined) return;
    this.#members[member.index] = last;
    last.index = member.index;
    this.#members.pop();
    member.index = -1;
    if (this.#members.length > 0) return;
    this.idleSince = performance.now();
    this.presence.forget();
    this.#pending = [];
  }

  /** Takes over until when a user may not write; see Grant. */
  setMuted(uid: string, mutedUntilMs: number): void {
    for (const member of this.#members) if (member.uid === uid) member.grant = { ...member.grant, mutedUntilMs };
  }

  /** The same for all: users who are not named may write. */
  setAllMuted(untilMs: ReadonlyMap<string, number>): void {
    for (const member of this.#members) {
      member.grant = { ...member.grant, mutedUntilMs: untilMs.get(member.uid) ?? 0 };
    }
  }

  /** Queues a frame for every member, but for those of user `except`; `seq` is 0 when it is no stored event. */
  push(json: string, seq: number, except = "", sentMs = 0): void {
    if (this.#members.length === 0) return;
    this.#pending.push({ seq, sentMs, bytes: textFrame(json), except });
    if (this.#pending.length === 1) this.#fanOut.room(this);
  }

  onEvent(json: string, seq: number, sentMs: number): void {
    this.push(json, seq, "", sentMs);
  }

  onSignal(signal: Signal): void {
    if (signal.body.case !== "typing") return;
    const { uid, username } = signal.body.value;
    this.push(encodeTyping({ room: this.id, uid, username }), 0, uid);
  }

  onReset(seq: number, reason: string): void {
    this.push(encodeReset({ room: this.id, epoch: this.#epoch, seq, reason }), 0);
  }

  flush(budget: number): Flushed {
    let writes = 0;
    while (writes < budget) {
      this.#flight ??= this.#takeOff(budget - writes);
      if (this.#flight === undefined) return { writes, done: true };
      writes += this.#fly(this.#flight, budget - writes);
      if (this.#flight.next >= this.#flight.members.length) this.#flight = undefined;
    }
    return { writes, done: this.#flight === undefined && this.#pending.length === 0 };
  }

  /** Stops hearing the room. */
  close(): void {
    this.feed.close();
    this.presence.close();
    this.#pending = [];
  }

  #takeOff(budget: number): Flight | undefined {
    const frames = this.#pending;
    const [first] = frames;
    if (first === undefined) return undefined;
    this.#pending = [];
    this.#metrics.fanoutBatch.observe(frames.length);
    const now = Date.now();
    // Senders' clocks differ from this one: what seems to come from the future was fast.
    for (const { sentMs } of frames) {
      if (sentMs > 0) this.#metrics.deliveryLagSeconds.observe(Math.max(0, now - sentMs) / 1_000);
    }
    const excepted = frames.map(({ except }) => except).filter((uid) => uid !== "");
    return {
      frames,
      bytes: frames.length === 1 ? first.bytes : Buffer.concat(frames.map((frame) => frame.bytes)),
      // What takes more than one turn must not see the list change under it: a swap would skip a member.
      members: this.#members.length > budget ? [...this.#members] : this.#members,
      lastSeq: frames.reduce((seq, frame) => Math.max(seq, frame.seq), 0),
      excepted: excepted.length > 0 ? new Set(excepted) : undefined,
      next: 0,
    };
  }

  #fly(flight: Flight, budget: number): number {
    const end = Math.min(flight.members.length, flight.next + budget);
    const writes = end - flight.next;
    let deliveries = 0;
    for (; flight.next < end; flight.next++) {
      const member = flight.members[flight.next];
      if (member === undefined || member.index < 0) continue;
      if (member.skip === 0 && member.after === 0 && !flight.excepted?.has(member.uid)) {
        member.outbox.write(flight.bytes);
        deliveries += flight.frames.length;
      } else {
        deliveries += writeSome(member, flight);
      }
    }
    this.#metrics.deliveriesTotal.inc(deliveries);
    return writes;
  }
}

/**
 * Writes what is newer than the membership and not withheld from the user. A newcomer is a member like others once
 * nothing older can come.
 */
function writeSome(member: Member, flight: Flight): number {
  const frames = flight.frames
    .slice(member.skip)
    .filter(({ seq, except }) => (seq === 0 || seq > member.after) && except !== member.uid);
  if (frames.length === flight.frames.length) member.outbox.write(flight.bytes);
  else if (frames.length > 0) member.outbox.write(Buffer.concat(frames.map((frame) => frame.bytes)));
  member.skip = 0;
  if (flight.lastSeq >= member.after) member.after = 0;
  return frames.length;
}

/** Until when a user may not write, in milliseconds since 1970: 0 when they may, Infinity when until told otherwise. */
export function mutedUntilMs({ muted, mutedUntil }: Pick<MemberPolicy, "muted" | "mutedUntil">): number {
  if (!muted) return 0;
  return mutedUntil === undefined ? Number.POSITIVE_INFINITY : timestampMs(mutedUntil);
}
