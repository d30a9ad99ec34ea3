import { afterEach, beforeEach } from "vitest";
import { RoomClient, type RoomClientOptions } from "../../../client/src/index.ts";
import type { Room } from "../../../client/src/room.ts";
import { ScriptedEdge } from "../../support/scripted-edge.ts";

/** A scripted edge and clients of it, new for each test. */
export interface ScriptedBench {
  readonly edge: ScriptedEdge;
  /** A client that comes back at once; closed after the test. */
  connect(options?: RoomClientOptions): RoomClient;
}

/** Gives every test of a file an edge and clients. */
export function useScriptedEdge(): ScriptedBench {
  let edge: ScriptedEdge | undefined;
  let clients: RoomClient[] = [];
  beforeEach(async () => {
    edge = await ScriptedEdge.start();
  });
  afterEach(async () => {
    for (const client of clients) client.close();
    clients = [];
    await edge?.close();
  });
  const bench: ScriptedBench = {
    get edge() {
      if (edge === undefined) throw new Error("there is an edge within tests only");
      return edge;
    },
    connect(options = {}) {
      const client = new RoomClient(bench.edge.url, { random: () => 0, ...options });
      clients.push(client);
      return client;
    },
  };
  return bench;
}

/** What a room tells, in order: seqs of events, and `reset reason: seqs`, `left reason`. */
export function heardIn(room: Room): (number | string)[] {
  const heard: (number | string)[] = [];
  room.on("event", ({ seq }) => heard.push(seq));
  room.on("reset", ({ reason, events }) => heard.push(`reset ${reason}: ${events.map(({ seq }) => seq).join()}`));
  room.on("left", ({ reason }) => heard.push(`left ${reason}`));
  return heard;
}
