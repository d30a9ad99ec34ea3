import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Broker, Unsubscribe } from "../broker/broker.ts";
import type { RoomHead } from "../gen/baccarat/v1/edge_service_pb.ts";
import { type DeliveryQuery, SignalSchema } from "../gen/baccarat/v1/event_pb.ts";
import type { RoomId } from "../services/ids.ts";
import type { Logger } from "../services/log.ts";
import type { Metrics } from "../services/metrics.ts";
import type { FanOut } from "./fan-out.ts";
import { type FeedOptions, RECHECKS_MS } from "./feed.ts";
import { HostedRoom, type RoomHost } from "./hosted-room.ts";
import { Limiter } from "./limiter.ts";
import { RecentEvents } from "./recent-events.ts";
import { Ring, type RingLimits } from "./ring.ts";
import { Timers } from "./timers.ts";
import type { TraceDelivery } from "./trace-delivery.ts";

/** What a hub needs. */
export interface HubOptions {
  /** Name of this edge, as operators are told it. */
  readonly edgeId: string;
  readonly broker: Broker;
  readonly fanOut: FanOut;
  readonly ring: RingLimits;
  /** Default: no delivery is traced. */
  readonly onTraced?: TraceDelivery | undefined;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** How long a room is heard after its last member left: whoever reloads the page finds it warm. */
const LINGER_MS = 30_000;
const SWEEP_MS = 1_000;
/** Most bytes of recent events, of all rooms together: so many for each, within what an edge can spare. */
const ROOM_BYTES = 1024 * 1024;
const FEWEST_BYTES = 4 * ROOM_BYTES;
const MOST_BYTES = 256 * ROOM_BYTES;
/** Reads of the log at a time, for all rooms together: after an outage they all want to. */
const READS = 8;
/** A head from the control plane may be ahead of the live event on its way here; what is still missing then was lost. */
const DIGEST_PATIENCE_MS = 500;
/** Within how many sweeps every room's tail is looked at while no control plane sends digests. */
const TAIL_CHECK_SWEEPS = 8;

/** The rooms this edge hosts. */
export class Hub implements RoomHost {
  readonly #options: HubOptions;
  readonly #rooms = new Map<RoomId, HostedRoom>();
  /** Rooms that nobody was in or waited for a moment ago: looking at all of them would take long where there are many. */
  readonly #deserted = new Set<HostedRoom>();
  readonly #recent = new RecentEvents({
    capacity: () => Math.min(MOST_BYTES, Math.max(FEWEST_BYTES, this.#rooms.size * ROOM_BYTES)),
  });
  readonly #feed: FeedOptions;
  readonly #timers = new Timers();
  readonly #unsubscribe: Unsubscribe;
  /** Rooms whose tail is to be looked at in this round, while nobody sends digests. */
  #round: HostedRoom[] = [];
  #digests = false;

  constructor(options: HubOptions) {
    this.#options = options;
    const { broker, onTraced, metrics, log } = options;
    this.#feed = { source: broker, reads: new Limiter(READS), rechecksMs: RECHECKS_MS, onTraced, metrics, log };
    // On the way back to health live events may have been missed everywhere.
    this.#unsubscribe = broker.onHealth((health) => {
      if (health.ok) this.checkAll();
    });
    this.#timers.every(SWEEP_MS, () => this.#sweep());
  }

  /** A room that is hosted now. */
  get(id: RoomId): HostedRoom | undefined {
    return this.#rooms.get(id);
  }

  /** Hosts a room, and keeps it until released. Await its `opened`. */
  claim(id: RoomId): HostedRoom {
    const room = this.#rooms.get(id) ?? this.#open(id);
    room.claims++;
    return room;
  }

  /** Ends a claim. */
  release(room: HostedRoom): void {
    room.claims--;
    if (isDeserted(room)) this.#deserted.add(room);
  }

  /** Looks for lost tails in every room. */
  checkAll(): void {
    for (const room of this.#rooms.values()) void room.feed.check();
  }

  /** Compares rooms' ends as the control plane sees them with what was heard. */
  digest(heads: readonly RoomHead[]): void {
    const behind = heads.filter((head) => this.#isBehind(head));
    if (behind.length === 0) return;
    this.#timers.after(DIGEST_PATIENCE_MS, () => {
      for (const head of behind) {
        if (this.#isBehind(head)) void this.#rooms.get(head.roomId as RoomId)?.feed.check();
      }
    });
  }

  /** Whether a control plane sends digests now; without them the hub looks for lost tails by itself. */
  set digests(on: boolean) {
    this.#digests = on;
  }

  /** Stops hearing every room. */
  close(): void {
    this.#unsubscribe();
    this.#timers.close();
    for (const room of this.#rooms.values()) room.close();
    this.#rooms.clear();
    this.#deserted.clear();
  }

  #open(id: RoomId): HostedRoom {
    const { broker, fanOut, ring: limits, metrics, log } = this.#options;
    const ring = new Ring({ epoch: broker.epoch, limits, recent: this.#recent });
    const room = new HostedRoom({
      id,
      epoch: broker.epoch,
      ring,
      fanOut,
      metrics,
      feed: this.#feed,
      host: this,
    });
    this.#rooms.set(id, room);
    room.opened.catch((error: unknown) => {
      log.warn({ err: error, room: id }, "a room could not be opened");
      this.#drop(room);
    });
    return room;
  }

  /** Says when an event was handed to the room's members here, as far as that is at hand. */
  onDeliveryQuery({ id, ring, size }: HostedRoom, { queryId, seq }: DeliveryQuery): void {
    const { broker, edgeId } = this.#options;
    const heardAt = ring.heardAt(Number(seq));
    const deliverTime = heardAt === undefined ? {} : { deliverTime: timestampFromMs(heardAt) };
    const value = { queryId, edgeId, connections: size, ...deliverTime };
    broker.signal(id, create(SignalSchema, { roomId: id, body: { case: "deliveryReport", value } }));
  }

  onEmpty(room: HostedRoom): void {
    this.#deserted.add(room);
  }

  #drop(room: HostedRoom): void {
    if (this.#rooms.get(room.id) === room) this.#rooms.delete(room.id);
    room.close();
  }

  #isBehind(head: RoomHead): boolean {
    const room = this.#rooms.get(head.roomId as RoomId);
    return room !== undefined && Number(head.seq) > room.feed.last;
  }

  #sweep(): void {
    const longAgo = performance.now() - LINGER_MS;
    for (const room of this.#deserted) {
      if (isDeserted(room) && room.idleSince >= longAgo) continue;
      this.#deserted.delete(room);
      if (isDeserted(room)) this.#drop(room);
    }
    if (!this.#digests) this.#checkSomeTails();
  }

  #checkSomeTails(): void {
    if (this.#round.length === 0) this.#round = [...this.#rooms.values()];
    for (const room of this.#round.splice(0, Math.ceil(this.#rooms.size / TAIL_CHECK_SWEEPS))) void room.feed.check();
  }
}

const isDeserted = (room: HostedRoom): boolean => room.size === 0 && room.claims === 0;
