import { type ConnectOptions, TestClient } from "./client.ts";
import type { FrameOf, RoomJoined } from "./frame-types.ts";
import type { Topology } from "./topology.ts";

/** How a member of a crowd connects. */
export interface CrowdOptions extends ConnectOptions {
  /** Which edge to connect to; taken modulo the number of edges. Default: each client the next one. */
  readonly edge?: number;
}

/**
 * The clients of one scenario, spread over all edges, closed together when the scenario ends (`await using`).
 * On a cluster the same scenario therefore crosses edges without knowing it.
 */
export class Crowd implements AsyncDisposable {
  readonly #topology: Pick<Topology, "edges">;
  readonly #clients: TestClient[] = [];

  constructor(topology: Pick<Topology, "edges">) {
    this.#topology = topology;
  }

  /** Connects a client and waits for nothing more. */
  async open(options: CrowdOptions = {}): Promise<TestClient> {
    const { edges } = this.#topology;
    const edge = edges[(options.edge ?? this.#clients.length) % edges.length];
    if (edge === undefined) throw new Error("the topology has no edge");
    const client = await TestClient.connect(edge, options);
    this.#clients.push(client);
    return client;
  }

  /** Connects a client that joins nothing by itself and waits for its welcome. */
  async connect(options: CrowdOptions = {}): Promise<TestClient> {
    const client = await this.open(options);
    await client.next("welcome");
    return client;
  }

  /** Connects a client and joins a room. */
  async join(room: string, options: CrowdOptions = {}): Promise<TestClient> {
    const client = await this.connect(options);
    await client.request("join_room", { room_id: room });
    return client;
  }

  /** Connects many clients to a room, a bounded number at a time. */
  async joinMany(count: number, room: string, options: (index: number) => CrowdOptions): Promise<TestClient[]> {
    const clients: TestClient[] = [];
    const indices = Array.from({ length: count }, (_, index) => index).values();
    const joinNext = async (): Promise<void> => {
      for (const index of indices) clients[index] = await this.join(room, options(index));
    };
    await Promise.all(Array.from({ length: CONNECTING_AT_ONCE }, joinNext));
    return clients;
  }

  /** Comes back as a guest of an earlier connection, by its `welcome.session`; `more` goes into the login. */
  async resume(session: string, options: CrowdOptions = {}, more: object = {}): Promise<TestClient> {
    const client = await this.open(options);
    await client.request("login", { session, ...more });
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }
}

const CONNECTING_AT_ONCE = 10;

/** A room no other scenario uses. */
export function newRoom(name: string): string {
  return `${name}-${crypto.randomUUID().slice(0, 8)}`;
}

/** Seqs of the stored events a client was pushed or handed for a room, in the order it got them. */
export function seqsSeen(client: TestClient, room: string): number[] {
  return client.frames.flatMap((frame) => {
    if (frame.type === "room_joined") {
      const { payload } = frame as FrameOf<"room_joined">;
      return payload.room_id === room ? payload.events.map((event) => event.payload.seq) : [];
    }
    const payload = frame.payload as { room_id?: string; seq?: number; prev_seq?: number };
    const isStored = frame.id === undefined && payload.prev_seq !== undefined && payload.seq !== undefined;
    return isStored && payload.room_id === room ? [payload.seq as number] : [];
  });
}

/** The texts of the messages in a `room_joined` or a `history`. */
export function texts(page: Pick<RoomJoined, "events">): (string | undefined)[] {
  return page.events.map((event) => event.payload.message);
}
