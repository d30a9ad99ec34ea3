import type { StoredEvent } from "../broker/broker.ts";
import type { DeliveryQuery, Signal } from "../gen/baccarat/v1/event_pb.ts";
import type { RoomId } from "../services/ids.ts";
import { FIXED } from "../services/limits.ts";
import type { Metrics } from "../services/metrics.ts";
import { SlowMode } from "../services/slow-mode.ts";
import { Conflation, type Deliver } from "./conflation.ts";
import type { FanOut, FlushableRoom, Flushed } from "./fan-out.ts";
import { Feed, type FeedListener, type FeedOptions } from "./feed.ts";
import { encodeReset, encodeTyping, textFrame } from "./frame-encoders.ts";
import { type Grant, grantOf, isNewcomer, type Member } from "./member.ts";
import type { Outbox } from "./outbox.ts";
import { Presence, type PresenceListener } from "./presence.ts";
import type { Ring } from "./ring.ts";
import { NO_POLICY, type Policy } from "./room-policy.ts";
import { RoomSnapshot } from "./room-snapshot.ts";

interface Frame {
  /** 0 for what is no stored event. */
  readonly seq: number;
  /** When it was sent, in milliseconds since 1970; 0 for what is no stored event. */
  readonly sentMs: number;
  readonly bytes: Buffer;
  /** User who is not told; empty for none. */
  readonly except: string;
  /** Where the room's policy says so, members that are behind are not told. */
  readonly ephemeral: boolean;
}

/** Frames on their way to the members. */
interface Flight {
  readonly frames: readonly Frame[];
  readonly bytes: Buffer;
  /** How many writes of usual size one of these counts for. */
  readonly weight: number;
  readonly members: readonly Member[];
  readonly lastSeq: number;
  /** Users who are not told everything. */
  readonly excepted: ReadonlySet<string> | undefined;
  /** Members that are behind are not told everything. */
  readonly droppable: boolean;
  next: number;
}

/** Whose room it is. */
export interface RoomHost {
  /** Somebody asks when an event was delivered here. */
  onDeliveryQuery(room: HostedRoom, query: DeliveryQuery): void;
  /** The last member left. */
  onEmpty(room: HostedRoom): void;
}

/** Up to here a write costs what the smallest does; beyond it, copying the bytes counts. */
const WRITE_BYTES = 16 * 1024;
/** What a write to one member costs, in milliseconds: the kernel's share of it is 6–7 µs (bench/README.md). */
const WRITE_MS = 0.007;
/** Most by which a room's frames are put off for one that is known to come, in milliseconds. */
const MAX_HOLD_MS = 5;

/** A room that has members at this edge, or had some a moment ago. */
export class HostedRoom implements FlushableRoom, FeedListener, PresenceListener {
  readonly id: RoomId;
  readonly feed: Feed;
  readonly ring: Ring;
  readonly presence: Presence;
  readonly snapshot: RoomSnapshot;
  /** Settles when the room's events are heard: rejects with RoomError unavailable when they cannot be. */
  readonly opened: Promise<void>;
  /** Joins and reads under way that need the room to stay. */
  claims = 0;
  /** When the last member left, by performance.now(). */
  idleSince: number;
  readonly #fanOut: FanOut;
  readonly #metrics: Metrics;
  readonly #host: RoomHost | undefined;
  readonly #epoch: string;
  #members: Member[] = [];
  /** The members' outboxes in the same order: whatever else is looked at costs each delivery a cache miss. */
  #outboxes: Outbox[] = [];
  /** Members that are not to hear everything yet. */
  #newcomers = 0;
  #policy = NO_POLICY;
  #slowMode: SlowMode | undefined;
  /** Between the feed and the members, in a room that does not give them everything. */
  #conflation: Conflation | undefined;
  /** Frames for the next flight; undefined when there are none. An empty list that grew old would keep what it was given. */
  #pending: Frame[] | undefined;
  #publishing = 0;
  #storedSeq = 0;
  #flight: Flight | undefined;

  constructor(options: {
    readonly id: RoomId;
    readonly epoch: string;
    readonly ring: Ring;
    readonly fanOut: FanOut;
    readonly metrics: Metrics;
    readonly feed: FeedOptions;
    /** Default: nobody, so that nobody answers. */
    readonly host?: RoomHost;
  }) {
    this.id = options.id;
    this.ring = options.ring;
    this.#epoch = options.epoch;
    this.snapshot = new RoomSnapshot({ epoch: options.epoch });
    this.#fanOut = options.fanOut;
    this.#metrics = options.metrics;
    this.#host = options.host;
    this.idleSince = performance.now();
    this.presence = new Presence({ room: options.id, listener: this });
    this.feed = new Feed(options.feed, { id: options.id, ring: options.ring, listener: this });
    this.opened = this.feed.open();
  }

  /** What is enforced here. */
  get policy(): Policy {
    return this.#policy;
  }

  set policy(policy: Policy) {
    this.#policy = policy;
    const { conflationMs: intervalMs } = policy;
    if (intervalMs === (this.#conflation?.intervalMs ?? 0)) return;
    this.#conflation?.release();
    this.#conflation = undefined;
    if (intervalMs === 0) return;
    const deliver: Deliver = (json, { seq }, sentMs) => this.push(json, seq, "", sentMs);
    const given = this.feed.last;
    this.#conflation = new Conflation({ epoch: this.#epoch, intervalMs, given, deliver, metrics: this.#metrics });
  }

  /** Made when it is needed: few rooms have it. */
  get slowMode(): SlowMode {
    this.#slowMode ??= new SlowMode();
    return this.#slowMode;
  }

  /** Members at this edge, by connection. */
  get size(): number {
    return this.#members.length;
  }

  /** Greatest seq acknowledged through this edge: the room's feed may not have heard it yet. */
  get storedSeq(): number {
    return this.#storedSeq;
  }

  /** True when the room is heard, as far as was acknowledged through this edge. */
  get isCurrent(): boolean {
    return this.feed.isLive && this.feed.last >= this.#storedSeq;
  }

  /** Resolves when that is so. @throws RoomError unavailable when the room cannot be heard. */
  async current(): Promise<void> {
    await this.opened;
    await this.feed.reached(this.#storedSeq);
  }

  /** Makes a connection a member that hears everything from now on, but for events up to `after`. */
  admit(outbox: Outbox, uid: string, grant: Grant, after: number): Member {
    const member: Member = {
      room: this,
      uid,
      outbox,
      grant,
      index: this.#members.length,
      skip: this.#pending?.length ?? 0,
      after: after > this.feed.last ? after : 0,
      typedAt: undefined,
    };
    if (member.index === 0) {
      // A list that is pushed to reserves space for sixteen more.
      this.#members = [member];
      this.#outboxes = [outbox];
    } else {
      this.#members.push(member);
      this.#outboxes.push(outbox);
    }
    if (isNewcomer(member)) this.#newcomers++;
    outbox.rooms++;
    return member;
  }

  /** Ends a membership. Idempotent. */
  remove(member: Member): void {
    const last = this.#members.at(-1);
    if (member.index < 0 || last === undefined) return;
    this.#members[member.index] = last;
    this.#outboxes[member.index] = last.outbox;
    last.index = member.index;
    this.#members.pop();
    this.#outboxes.pop();
    if (isNewcomer(member)) this.#newcomers--;
    member.index = -1;
    member.outbox.rooms--;
    if (this.#members.length > 0) return;
    this.idleSince = performance.now();
    this.presence.forget();
    // Should the room be deleted while nobody here is in it, nothing would say that its snapshot is gone, too.
    this.snapshot.forget();
    this.#conflation?.forget(this.feed.last);
    this.#pending = undefined;
    this.#host?.onEmpty(this);
  }

  /** Takes over until when a user may not write; see Grant. */
  setMuted(uid: string, mutedUntilMs: number): void {
    for (const member of this.#members)
      if (member.uid === uid) member.grant = grantOf(member.grant.moderator, mutedUntilMs);
  }

  /** The same for all: users who are not named may write. */
  setAllMuted(untilMs: ReadonlyMap<string, number>): void {
    for (const member of this.#members) {
      member.grant = grantOf(member.grant.moderator, untilMs.get(member.uid) ?? 0);
    }
  }

  /** Queues a frame for every member, but for those of user `except`; `seq` is 0 when it is no stored event. */
  push(json: string, seq: number, except = "", sentMs = 0, ephemeral = false): void {
    if (this.#members.length === 0) return;
    const frame: Frame = { seq, sentMs, bytes: textFrame(json), except, ephemeral };
    if (this.#pending === undefined) {
      this.#pending = [frame];
      this.#fanOut.room(this);
    } else this.#pending.push(frame);
  }

  onEvent(json: string, stored: StoredEvent, sentMs: number): void {
    this.snapshot.hear(stored, json);
    if (this.#conflation) this.#conflation.hear(json, stored, sentMs);
    else this.push(json, stored.seq, "", sentMs);
  }

  onSignal(signal: Signal): void {
    if (signal.body.case === "deliveryQuery") this.#host?.onDeliveryQuery(this, signal.body.value);
    if (signal.body.case !== "typing") return;
    const { uid, username } = signal.body.value;
    this.push(encodeTyping({ room: this.id, uid, username }), 0, uid, 0, true);
  }

  onPresence(json: string): void {
    this.push(json, 0, "", 0, true);
  }

  onReset(seq: number, reason: string): void {
    this.snapshot.forget();
    this.#conflation?.forget(seq);
    this.push(encodeReset({ room: this.id, epoch: this.#epoch, seq, reason }), 0);
  }

  /** A publish through this edge is under way: its event will come in a moment, most likely. */
  publishing(): void {
    this.#publishing++;
  }

  /** A publish through this edge was settled; `seq` is its event's, 0 when it is not known to be stored. */
  published(seq = 0): void {
    this.#storedSeq = Math.max(this.#storedSeq, seq);
    this.#publishing--;
    if (this.#publishing === 0) this.#fanOut.release(this);
  }

  /**
   * Two events in one write cost what one costs. So while one more is known to come, a large room waits for it: half as
   * long as writing takes it, at most.
   */
  get holdMs(): number {
    return this.#publishing === 0 ? 0 : Math.min(MAX_HOLD_MS, (this.#members.length * WRITE_MS) / 2);
  }

  flush(budget: number): Flushed {
    let writes = 0;
    while (writes < budget) {
      this.#flight ??= this.#takeOff(budget - writes);
      if (this.#flight === undefined) return { writes, done: true };
      writes += this.#fly(this.#flight, budget - writes);
      if (this.#flight.next >= this.#flight.members.length) this.#flight = undefined;
    }
    return { writes, done: this.#flight === undefined && this.#pending === undefined };
  }

  /** Stops hearing the room. */
  close(): void {
    this.feed.close();
    this.presence.close();
    this.#conflation?.forget(0);
    this.#pending = undefined;
  }

  #takeOff(budget: number): Flight | undefined {
    const frames = this.#pending;
    const first = frames?.[0];
    if (frames === undefined || first === undefined) return undefined;
    this.#pending = undefined;
    this.#metrics.fanoutBatch.observe(frames.length);
    const now = Date.now();
    let lastSeq = 0;
    let excepted: Set<string> | undefined;
    let droppable = false;
    for (const { seq, sentMs, except, ephemeral } of frames) {
      // Senders' clocks differ from this one: what seems to come from the future was fast.
      if (sentMs > 0) this.#metrics.deliveryLagSeconds.observe(Math.max(0, now - sentMs) / 1_000);
      if (except !== "") excepted = (excepted ?? new Set()).add(except);
      droppable ||= ephemeral && this.#policy.dropsEphemeral;
      lastSeq = Math.max(lastSeq, seq);
    }
    const bytes = frames.length === 1 ? first.bytes : Buffer.concat(frames.map((frame) => frame.bytes));
    const weight = Math.ceil(bytes.length / WRITE_BYTES);
    // What takes more than one turn must not see the list change under it: a swap would skip a member.
    const members = this.#members.length * weight > budget ? [...this.#members] : this.#members;
    return { frames, bytes, weight, members, lastSeq, excepted, droppable, next: 0 };
  }

  #fly(flight: Flight, budget: number): number {
    const begin = flight.next;
    flight.next = Math.min(flight.members.length, begin + Math.ceil(budget / flight.weight));
    const isPlain = !flight.droppable && flight.excepted === undefined && this.#newcomers === 0;
    const deliveries =
      isPlain && flight.members === this.#members ? this.#writeAll(flight, begin) : this.#writeEach(flight, begin);
    this.#metrics.deliveriesTotal.inc(deliveries);
    return (flight.next - begin) * flight.weight;
  }

  /** Writes all frames to all members of a portion. */
  #writeAll({ bytes, frames, next }: Flight, begin: number): number {
    for (let index = begin; index < next; index++) this.#outboxes[index]?.write(bytes);
    return (next - begin) * frames.length;
  }

  /** Writes to each member of a portion what it is to hear. */
  #writeEach(flight: Flight, begin: number): number {
    let deliveries = 0;
    for (let index = begin; index < flight.next; index++) {
      const member = flight.members[index];
      if (member === undefined || member.index < 0) continue;
      if (flight.droppable && member.outbox.waiting > FIXED.behindBytes) {
        const { given, kept } = this.#writeLasting(member, flight);
        this.#metrics.ephemeralDroppedTotal.inc(kept);
        deliveries += given;
      } else if (!isNewcomer(member) && !flight.excepted?.has(member.uid)) {
        member.outbox.write(flight.bytes);
        deliveries += flight.frames.length;
      } else {
        deliveries += this.#write(member, flight, framesFor(member, flight));
      }
    }
    return deliveries;
  }

  /** Writes to a member that is behind what lasts. `kept`: how many frames it is not given for that. */
  #writeLasting(member: Member, flight: Flight): { readonly given: number; readonly kept: number } {
    const all = framesFor(member, flight);
    const lasting = all.filter(({ ephemeral }) => !ephemeral);
    const given = this.#write(member, flight, lasting);
    return { given, kept: all.length - given };
  }

  /** A newcomer is a member like others once nothing older can come. */
  #write(member: Member, flight: Flight, frames: readonly Frame[]): number {
    if (frames.length === flight.frames.length) member.outbox.write(flight.bytes);
    else if (frames.length > 0) member.outbox.write(Buffer.concat(frames.map((frame) => frame.bytes)));
    if (!isNewcomer(member)) return frames.length;
    member.skip = 0;
    if (flight.lastSeq >= member.after) member.after = 0;
    if (!isNewcomer(member)) this.#newcomers--;
    return frames.length;
  }
}

/** What is newer than the membership and not withheld from the user. */
function framesFor(member: Member, flight: Flight): Frame[] {
  return flight.frames
    .slice(member.skip)
    .filter(({ seq, except }) => (seq === 0 || seq > member.after) && except !== member.uid);
}
