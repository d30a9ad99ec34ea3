import type { MessageInitShape } from "@bufbuild/protobuf";
import type { EdgeCommandSchema } from "../gen/baccarat/v1/edge_service_pb.ts";
import type { RoomId } from "../services/ids.ts";
import type { Departure } from "./close-codes.ts";

/** One thing an edge says to the control plane. */
export type Command = NonNullable<MessageInitShape<typeof EdgeCommandSchema>["command"]> & { case: string };
/** How a connection is registered. */
export type Registration = Extract<Command, { case: "connect" }>["value"];

interface Entry<T> {
  readonly who: T;
  /** Most are in a few: a set costs hundreds of bytes whatever is in it, an array that grows as many. */
  rooms: readonly RoomId[] | Set<RoomId>;
  /** When the connection's memberships end, by performance.now(); undefined while it is open. */
  endsAt?: number;
}

const SWEEP_MS = 250;
const NO_ROOMS: readonly RoomId[] = [];
/** Most rooms that are a list. */
const FEW = 16;

/**
 * What this edge answers for towards the control plane: its connections and their rooms, those included whose grace has
 * not ended. Every change is told at once; what could not be told needs no queue, since attaching says all of it again.
 */
export class Roster<T> {
  readonly #describe: (who: T) => Registration;
  readonly #tell: (command: Command) => void;
  readonly #entries = new Map<string, Entry<T>>();
  /** Clients in their grace. */
  readonly #departing = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  /** The list of who is in the room last joined and in no other: those who come after it into the same room share it. */
  #alone = NO_ROOMS;

  /**
   * `describe` says how a connection is registered, also one that has ended: it is asked whenever that is told, since it
   * would take more memory to keep than to make. `tell` passes a command on, or drops it while nobody is attached.
   */
  constructor(options: { readonly describe: (who: T) => Registration; readonly tell: (command: Command) => void }) {
    this.#describe = options.describe;
    this.#tell = options.tell;
    this.#timer = setInterval(() => this.#endGrace(), SWEEP_MS);
  }

  /** Registers a connection. */
  connected(clientId: string, who: T): void {
    this.#entries.set(clientId, { who, rooms: NO_ROOMS });
    this.#tell({ case: "connect", value: this.#describe(who) });
  }

  /** What is known of a connection has changed. */
  changed(clientId: string): void {
    const entry = this.#entries.get(clientId);
    if (entry) this.#tell({ case: "connect", value: this.#describe(entry.who) });
  }

  /** The control plane has admitted a client to a room. */
  joined(clientId: string, room: RoomId): void {
    const entry = this.#entries.get(clientId);
    if (entry) entry.rooms = this.#including(entry.rooms, room);
    // Admitted while its connection was ending: nobody is there to be a member.
    else this.#tell({ case: "leave", value: { clientId, roomId: room, reason: "disconnected" } });
  }

  /** A client is no longer in a room. */
  left(clientId: string, room: RoomId, reason: string): void {
    const entry = this.#entries.get(clientId);
    if (entry?.rooms instanceof Set) entry.rooms.delete(room);
    else if (entry) entry.rooms = entry.rooms.filter((held) => held !== room);
    this.#tell({ case: "leave", value: { clientId, roomId: room, reason } });
  }

  /** A connection ended; its memberships end at `endsAt`, by performance.now(), or now when that has passed. */
  disconnected(clientId: string, reason: Departure["reason"], endsAt: number): void {
    const entry = this.#entries.get(clientId);
    if (entry === undefined) return;
    entry.endsAt = endsAt;
    if (endsAt > performance.now()) this.#departing.add(clientId);
    else this.#end(clientId, reason);
  }

  /** Ends a client's grace. */
  forget(clientId: string): void {
    if (this.#departing.has(clientId)) this.#end(clientId, "disconnected");
  }

  /** All of it, as commands: what attaching says. */
  *commands(): Generator<Command> {
    for (const [clientId, { who, rooms }] of this.#entries) {
      yield { case: "connect", value: this.#describe(who) };
      for (const roomId of rooms) yield { case: "hold", value: { clientId, roomId } };
    }
  }

  /** Forgets everything without a word: the incarnation was given up, or the process ends and its lease tells. */
  clear(): void {
    this.#entries.clear();
    this.#departing.clear();
  }

  /** Stops the clock. */
  close(): void {
    clearInterval(this.#timer);
    this.clear();
  }

  #including(rooms: Entry<T>["rooms"], room: RoomId): Entry<T>["rooms"] {
    if (rooms instanceof Set) return rooms.add(room);
    if (rooms.includes(room)) return rooms;
    if (rooms.length >= FEW) return new Set([...rooms, room]);
    if (rooms.length > 0) return rooms.concat(room);
    if (this.#alone[0] !== room) this.#alone = [room];
    return this.#alone;
  }

  #end(clientId: string, reason: string): void {
    this.#entries.delete(clientId);
    this.#departing.delete(clientId);
    this.#tell({ case: "disconnect", value: { clientId, reason } });
  }

  #endGrace(): void {
    const now = performance.now();
    for (const clientId of this.#departing) {
      if ((this.#entries.get(clientId)?.endsAt ?? 0) <= now) this.#end(clientId, "disconnected");
    }
  }
}
