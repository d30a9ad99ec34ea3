import { type Entrance, enterAll } from "./entrance.ts";

/** Whom to let in where. */
export interface IdlersOrder {
  readonly port: number;
  readonly entrances: readonly Entrance[];
}

// A process that keeps connections open which say nothing, since one process may not have as many sockets as all servers
// under test together. It answers its order once everybody is in, and ends with its parent.
process.once("message", async ({ port, entrances }: IdlersOrder) => {
  await enterAll(port, entrances);
  process.send?.("in");
});
process.once("disconnect", () => process.exit());
