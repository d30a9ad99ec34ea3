import type { Closure } from "../../gen/baccarat/v1/control_pb.ts";
import type { User } from "../auth.ts";
import { RoomError } from "../errors.ts";
import type { RoomId } from "../ids.ts";
import type { SizedUpdate } from "./attach-outbox.ts";
import { disconnected, evicted } from "./attach-updates.ts";
import type { EntryOut } from "./folded.ts";
import type { ConnectionId } from "./membership.ts";

/** A connection as its edge said it. */
export interface AttachedClient {
  readonly connection: ConnectionId;
  user: User;
  /** Rooms the edge has it in, or asked to have it in: any other entry of it is deleted. */
  readonly rooms: Map<RoomId, "joining" | "joined">;
  /** The edge was told to close it. */
  closing: boolean;
  /** Nobody knew of its user before it came. */
  isNew: boolean;
}

/** What one attached edge has, as it said on its stream, and the way to tell it something. */
export class AttachSession {
  readonly edgeId: string;
  readonly incarnation: string;
  /** Aborts when the stream is over. */
  readonly signal: AbortSignal;
  readonly clients = new Map<string, AttachedClient>();
  readonly #push: (sized: SizedUpdate) => void;

  constructor(options: {
    edgeId: string;
    incarnation: string;
    signal: AbortSignal;
    push: (sized: SizedUpdate) => void;
  }) {
    this.edgeId = options.edgeId;
    this.incarnation = options.incarnation;
    this.signal = options.signal;
    this.#push = options.push;
  }

  /** @throws RoomError invalid_argument when the edge never connected it on this stream. */
  client(clientId: string): AttachedClient {
    const client = this.clients.get(clientId);
    if (client === undefined) throw new RoomError("invalid_argument", "a connection this edge has not registered");
    return client;
  }

  /** Notes that the edge has a connection, or that its user's rights changed. */
  connected(clientId: string, user: User): AttachedClient {
    const known = this.clients.get(clientId);
    if (known !== undefined) {
      known.user = user;
      return known;
    }
    const connection = { clientId, incarnation: this.incarnation };
    const client: AttachedClient = { connection, user, rooms: new Map(), closing: false, isNew: false };
    this.clients.set(clientId, client);
    return client;
  }

  /** Has the edge take a client out of a room it is in there. The edge answers by a Leave. */
  evict(client: AttachedClient, room: RoomId, out: EntryOut): void {
    client.rooms.delete(room);
    this.#push(evicted(client.connection.clientId, room, out));
  }

  /** Has the edge close a connection, once. */
  disconnect(client: AttachedClient, closure: Closure): void {
    if (client.closing) return;
    client.closing = true;
    this.#push(disconnected(client.connection.clientId, closure));
  }
}
