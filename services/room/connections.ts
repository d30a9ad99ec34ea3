import type { EdgeTraffic } from "../../gen/baccarat/v1/admin_service_pb.ts";
import type { ClientEntry, EdgeDrain, EdgeFence, EdgeLease } from "../../gen/baccarat/v1/control_pb.ts";
import type { RoomId } from "../ids.ts";
import type { ChangeListener, FoldedClient, FoldedEntry, FoldedIncarnation } from "./folded.ts";
import { OrderedMap } from "./ordered-map.ts";

interface Client extends FoldedClient {
  value: ClientEntry | undefined;
  since: number;
  cursorEnded: boolean;
  readonly entries: Map<RoomId, FoldedEntry>;
}

interface Incarnation extends FoldedIncarnation {
  lease: EdgeLease | undefined;
  leaseRevision: number;
  traffic: EdgeTraffic | undefined;
  fence: EdgeFence | undefined;
  drain: EdgeDrain | undefined;
  attachedAt: number;
  readonly clients: Set<Client>;
}

/** The part of the fold that knows connections and runs of edges, with an index for every question asked of them. */
export class Connections {
  /** Every connection, by client id. */
  readonly clients = new OrderedMap<FoldedClient>();
  /** Every run of an edge of which something is stored. */
  readonly incarnations: ReadonlyMap<string, FoldedIncarnation>;
  readonly #incarnations = new Map<string, Incarnation>();
  // Lists, since most users have one connection, and a set costs hundreds of bytes whatever is in it.
  readonly #byUid = new Map<string, readonly FoldedClient[]>();
  readonly #bySession = new Map<string, readonly FoldedClient[]>();
  readonly #emit: ChangeListener;
  #registered = 0;

  constructor(options: { emit: ChangeListener }) {
    this.#emit = options.emit;
    this.incarnations = this.#incarnations;
  }

  /** Connections that are registered. */
  get registered(): number {
    return this.#registered;
  }

  /** Distinct users with a registered connection. */
  get users(): number {
    return this.#byUid.size;
  }

  /** Registered connections of a user. */
  ofUser(uid: string): readonly FoldedClient[] {
    return this.#byUid.get(uid) ?? NONE;
  }

  /** Registered connections with this session. */
  ofSession(sessionHash: string): readonly FoldedClient[] {
    return this.#bySession.get(sessionHash) ?? NONE;
  }

  putClient(incarnation: string, clientId: string, value: ClientEntry, revision: number): void {
    const client = this.#client(incarnation, clientId);
    const before = client.value;
    if (before === undefined) this.#registered++;
    // A closure is final: a registration that crossed it in the log does not undo it.
    if (before?.closed !== undefined) value.closed ??= before.closed;
    client.value = value;
    if (before?.client?.uid !== value.client?.uid || before?.sessionHash !== value.sessionHash) {
      this.#unindex(client, before);
      client.since = revision;
      add(this.#byUid, value.client?.uid ?? "", client);
      if (value.sessionHash !== "") add(this.#bySession, value.sessionHash, client);
    }
    this.#emit({ kind: "client", client });
  }

  deleteClient(incarnation: string, clientId: string): void {
    const client = this.clients.get(clientId) as Client | undefined;
    if (client?.incarnation !== incarnation || client.value === undefined) return;
    this.#unindex(client, client.value);
    this.#registered--;
    client.value = undefined;
    this.#emit({ kind: "client_gone", client });
    this.#forgetClient(client);
  }

  /** Notes that a connection is over as far as direct messages go. */
  endCursor(clientId: string): void {
    const client = this.clients.get(clientId) as Client | undefined;
    if (client === undefined) return;
    client.cursorEnded = true;
    this.#emit({ kind: "cursor_ended", client });
  }

  /** Keeps a room's entry with its connection. */
  link(entry: FoldedEntry): void {
    this.#client(entry.incarnation, entry.clientId).entries.set(entry.room, entry);
  }

  unlink(entry: FoldedEntry): void {
    const client = this.clients.get(entry.clientId) as Client | undefined;
    if (client?.entries.get(entry.room) !== entry) return;
    client.entries.delete(entry.room);
    this.#forgetClient(client);
  }

  putLease(incarnation: string, lease: EdgeLease | undefined, revision: number): void {
    const run = this.#incarnation(incarnation);
    run.lease = lease;
    run.leaseRevision = lease === undefined ? 0 : revision;
    this.#emit({ kind: "lease", incarnation: run });
    this.#forgetIncarnation(run);
  }

  /** Keeps what a run of an edge said it did lately, or forgets it. */
  putTraffic(incarnation: string, traffic: EdgeTraffic | undefined): void {
    const run = this.#incarnation(incarnation);
    run.traffic = traffic;
    this.#forgetIncarnation(run);
  }

  /** Marks a run of an edge as given up, or forgets that it was. */
  putFence(incarnation: string, fence: EdgeFence | undefined): void {
    const run = this.#incarnation(incarnation);
    run.fence = fence;
    if (fence !== undefined) this.#emit({ kind: "fenced", incarnation: run });
    this.#forgetIncarnation(run);
  }

  /** Notes that an operator sends this run's clients elsewhere; undefined when that is over, as the run is. */
  putDrain(incarnation: string, drain: EdgeDrain | undefined): void {
    const run = this.#incarnation(incarnation);
    run.drain = drain;
    if (drain !== undefined) this.#emit({ kind: "drain", incarnation: run });
    this.#forgetIncarnation(run);
  }

  /** @param revision place of the claim of the run's attachment; 0 when it was deleted. */
  putAttachment(incarnation: string, revision: number): void {
    const run = this.#incarnation(incarnation);
    run.attachedAt = revision;
    this.#emit({ kind: "attached", incarnation: run });
    this.#forgetIncarnation(run);
  }

  #client(incarnation: string, clientId: string): Client {
    const known = this.clients.get(clientId) as Client | undefined;
    if (known !== undefined) return known;
    const client: Client = {
      clientId,
      incarnation,
      value: undefined,
      since: 0,
      entries: new Map(),
      cursorEnded: false,
    };
    this.clients.set(clientId, client);
    this.#incarnation(incarnation).clients.add(client);
    return client;
  }

  #incarnation(incarnation: string): Incarnation {
    const known = this.#incarnations.get(incarnation);
    if (known !== undefined) return known;
    const run: Incarnation = {
      incarnation,
      lease: undefined,
      leaseRevision: 0,
      traffic: undefined,
      fence: undefined,
      drain: undefined,
      attachedAt: 0,
      clients: new Set(),
    };
    this.#incarnations.set(incarnation, run);
    return run;
  }

  #unindex(client: Client, value: ClientEntry | undefined): void {
    remove(this.#byUid, value?.client?.uid ?? "", client);
    remove(this.#bySession, value?.sessionHash ?? "", client);
  }

  #forgetClient(client: Client): void {
    if (client.value !== undefined || client.entries.size > 0) return;
    this.clients.delete(client.clientId);
    const run = this.#incarnations.get(client.incarnation);
    if (run === undefined) return;
    run.clients.delete(client);
    this.#forgetIncarnation(run);
  }

  #forgetIncarnation(run: Incarnation): void {
    const { lease, traffic, fence, drain, attachedAt, clients } = run;
    const stored = [lease, traffic, fence, drain].some((value) => value !== undefined) || attachedAt > 0;
    if (!stored && clients.size === 0) this.#incarnations.delete(run.incarnation);
  }
}

const NONE: readonly FoldedClient[] = [];

function add(index: Map<string, readonly FoldedClient[]>, key: string, client: FoldedClient): void {
  index.set(key, [...(index.get(key) ?? NONE), client]);
}

function remove(index: Map<string, readonly FoldedClient[]>, key: string, client: FoldedClient): void {
  const left = (index.get(key) ?? NONE).filter((other) => other !== client);
  if (left.length > 0) index.set(key, left);
  else index.delete(key);
}
