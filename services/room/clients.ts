import { create, equals } from "@bufbuild/protobuf";
import { type Client, ProfileSchema } from "../../gen/baccarat/v1/client_pb.ts";
import { type ClientEntry, ClientEntrySchema, type Closure, ClosureSchema } from "../../gen/baccarat/v1/control_pb.ts";
import { controlKeys } from "../control-keys.ts";
import { RoomError } from "../errors.ts";
import type { RoomId, Uid } from "../ids.ts";
import { FIXED, type Limits } from "../limits.ts";
import type { ControlFold } from "./control-fold.ts";
import type { ControlWriter } from "./control-writer.ts";
import { eachBounded } from "./each-bounded.ts";
import type { FoldedClient } from "./folded.ts";
import type { ConnectionId, Membership } from "./membership.ts";
import { cutPage, decodePageToken, pageSize } from "./paging.ts";
import type { Users } from "./users.ts";

/** Which connections: those that match everything that is given. */
export interface ClientFilter {
  readonly uid?: Uid | undefined;
  readonly clientId?: string | undefined;
  readonly edgeId?: string | undefined;
}

/** A page of connections, in the order of their ids. */
export interface ClientsPage {
  readonly clients: readonly Client[];
  readonly nextPageToken: string;
}

/** Closures, and entries of one connection, written at once. */
const WRITES = 64;
/** A close frame holds 123 bytes of reason. */
const CLOSE_REASON_BYTES = 120;

const REPLACED: Closure = create(ClosureSchema, { closeCode: 4504, reason: "replaced" });
const TOO_MANY: Closure = create(ClosureSchema, { closeCode: 4505, reason: "too_many_connections" });

/** Which connections exist, and which of them are to be closed. */
export class Clients {
  readonly #fold: ControlFold;
  readonly #writer: ControlWriter;
  readonly #users: Users;
  readonly #membership: Membership;
  readonly #limits: Limits;

  constructor(options: {
    fold: ControlFold;
    writer: ControlWriter;
    users: Users;
    membership: Membership;
    limits: Limits;
  }) {
    this.#fold = options.fold;
    this.#writer = options.writer;
    this.#users = options.users;
    this.#membership = options.membership;
    this.#limits = options.limits;
  }

  /**
   * Registers a connection, or what changed of it. An older connection with the same session is closed (4504), and this
   * one when its user has too many (4505); the order of the log says which is older. Idempotent.
   * @returns true when nobody knew of the user before.
   * @throws RoomError unavailable.
   */
  async register(uid: Uid, entry: ClientEntry): Promise<boolean> {
    const { client, incarnation } = entry;
    if (client === undefined) throw new RoomError("invalid_argument", "no client");
    const known = this.#fold.connections.clients.get(client.clientId)?.value;
    if (known?.closed !== undefined) return false;
    const profile = create(ProfileSchema, { uid, username: client.username, avatarId: client.avatarId });
    const [isNew] = await Promise.all([
      this.#users.remember(uid, profile),
      known !== undefined && equals(ClientEntrySchema, known, entry)
        ? undefined
        : this.#writer.put(controlKeys.client(incarnation, client.clientId), ClientEntrySchema, entry),
    ]);
    const self = this.#fold.connections.clients.get(client.clientId);
    if (self?.value !== undefined) await this.#closeSurplus(self, self.value);
    return isNew;
  }

  /** Ends a connection's memberships and its registration. @throws RoomError unavailable. */
  async unregister(connection: ConnectionId, reason: string): Promise<void> {
    const entries = this.#fold.connections.clients.get(connection.clientId)?.entries.values() ?? [];
    await eachBounded([...entries], WRITES, (entry) => this.#membership.leave(entry, reason));
    await this.#writer.delete(controlKeys.client(connection.incarnation, connection.clientId));
  }

  /** A page of connections. @throws RoomError invalid_argument. */
  list(request: {
    pageSize: number;
    pageToken: string;
    uid?: Uid | undefined;
    roomId?: RoomId | undefined;
    edgeId?: string | undefined;
  }): ClientsPage {
    const scope = ["clients", request.uid ?? "", request.roomId ?? "", request.edgeId ?? ""];
    const from = decodePageToken(scope, request.pageToken) ?? "";
    const size = pageSize(request.pageSize, FIXED.pageDefault, FIXED.pageSize);
    const { items, nextPageToken } = cutPage(this.#walk(request, from), size, scope);
    return { clients: items, nextPageToken };
  }

  /**
   * Closes connections (4503). At least one filter is needed.
   * @param reason the close reason, at most 120 bytes; empty: `disconnected_by_admin`.
   * @param before hears how many it is about, if any; nothing is written before it resolves.
   * @returns how many were told to close.
   * @throws RoomError invalid_argument, unavailable.
   */
  async disconnect(
    filter: ClientFilter,
    reason: string,
    before: (count: number) => Promise<void> = async () => undefined,
  ): Promise<number> {
    if (Buffer.byteLength(reason) > CLOSE_REASON_BYTES) {
      throw new RoomError("invalid_argument", `reason has at most ${CLOSE_REASON_BYTES} bytes`);
    }
    const closure = create(ClosureSchema, { closeCode: 4503, reason: reason || "disconnected_by_admin" });
    const open = this.#matching(filter).filter(({ value }) => value !== undefined && value.closed === undefined);
    if (open.length > 0) await before(open.length);
    let count = 0;
    await eachBounded(open, WRITES, async (client) => {
      if (await this.#close(client, closure)) count++;
    });
    return count;
  }

  async #closeSurplus(self: FoldedClient, { client, sessionHash }: ClientEntry): Promise<void> {
    const { connections } = this.#fold;
    const older = connections.ofSession(sessionHash).filter((other) => other.since < self.since);
    if (older.length > 0) await eachBounded(older, WRITES, async (other) => void (await this.#close(other, REPLACED)));
    const ofUser = connections.ofUser(client?.uid ?? "");
    const before = ofUser.filter((other) => other.since < self.since && !other.value?.closed);
    if (before.length >= this.#limits.maxConnectionsPerUser) await this.#close(self, TOO_MANY);
  }

  /** The edge acts when this comes to it, and then unregisters the connection. */
  async #close(client: FoldedClient, closed: Closure): Promise<boolean> {
    const { value } = client;
    if (value === undefined || value.closed !== undefined) return false;
    await this.#writer.put(controlKeys.client(client.incarnation, client.clientId), ClientEntrySchema, {
      ...value,
      closed,
    });
    return true;
  }

  #matching(filter: ClientFilter): FoldedClient[] {
    const { clients, incarnations } = this.#fold.connections;
    const matches = ({ clientId, value }: FoldedClient): boolean =>
      (filter.clientId === undefined || filter.clientId === clientId) &&
      (filter.uid === undefined || filter.uid === value?.client?.uid) &&
      (filter.edgeId === undefined || filter.edgeId === value?.client?.edgeId);
    if (filter.clientId !== undefined) {
      const client = clients.get(filter.clientId);
      return client !== undefined && matches(client) ? [client] : [];
    }
    if (filter.uid !== undefined) return [...this.#fold.connections.ofUser(filter.uid)].filter(matches);
    if (filter.edgeId !== undefined) {
      return [...incarnations.values()].flatMap((run) => [...run.clients]).filter(matches);
    }
    throw new RoomError("invalid_argument", "uid, client_id or edge_id is needed");
  }

  /** Registered connections in the order of their ids, from the smallest set that holds all that match. */
  *#walk(
    filter: { uid?: Uid | undefined; roomId?: RoomId | undefined; edgeId?: string | undefined },
    from: string,
  ): Generator<readonly [string, Client]> {
    for (const folded of this.#candidates(filter, from)) {
      const client = folded.value?.client;
      if (client === undefined) continue;
      if (filter.uid !== undefined && filter.uid !== client.uid) continue;
      if (filter.edgeId !== undefined && filter.edgeId !== client.edgeId) continue;
      if (filter.roomId !== undefined && !this.#membership.isMember(filter.roomId, folded.clientId)) continue;
      const roomIds = [...folded.entries.values()].filter((entry) => !entry.out).map((entry) => entry.room);
      yield [folded.clientId, { ...client, roomId: roomIds.at(-1) ?? "", roomIds }];
    }
  }

  *#candidates(filter: { uid?: Uid | undefined; roomId?: RoomId | undefined }, from: string): Generator<FoldedClient> {
    const { clients } = this.#fold.connections;
    if (filter.uid !== undefined) {
      const ofUser = [...this.#fold.connections.ofUser(filter.uid)].filter((client) => client.clientId >= from);
      yield* ofUser.sort((a, b) => (a.clientId < b.clientId ? -1 : 1));
    } else if (filter.roomId !== undefined) {
      for (const [clientId] of this.#fold.room(filter.roomId)?.entries.from(from) ?? []) {
        const client = clients.get(clientId);
        if (client !== undefined) yield client;
      }
    } else {
      for (const [, client] of clients.from(from)) yield client;
    }
  }
}
