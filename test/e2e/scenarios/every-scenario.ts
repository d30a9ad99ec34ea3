import type { Topology } from "../../support/topology.ts";
import { badInput } from "./bad-input.ts";
import { catchUp } from "./catch-up.ts";
import { conversation } from "./conversation.ts";
import { crowdedRoom } from "./crowded-room.ts";
import { dedupe } from "./dedupe.ts";
import { direct } from "./direct.ts";
import { history } from "./history.ts";
import { messages } from "./messages.ts";
import { moderation } from "./moderation.ts";
import { order } from "./order.ts";
import { overload } from "./overload.ts";
import { presence } from "./presence.ts";
import { recovery } from "./recovery.ts";
import { rooms } from "./rooms.ts";
import { rpcAdmin } from "./rpc-admin.ts";
import { rpcMessages } from "./rpc-messages.ts";
import { rpcProtocols } from "./rpc-protocols.ts";
import { rpcRooms } from "./rpc-rooms.ts";
import { snapshots } from "./snapshots.ts";

/** Every scenario that asks nothing special of its topology: run unchanged on one process and on a cluster. */
export function everyScenario(topology: Topology): void {
  for (const scenarios of [conversation, rooms, dedupe, history, recovery, messages, direct, catchUp, presence]) {
    scenarios(topology);
  }
  for (const scenarios of [badInput, rpcRooms, rpcMessages, rpcAdmin, rpcProtocols, moderation]) scenarios(topology);
  for (const scenarios of [snapshots, overload, crowdedRoom, order]) scenarios(topology);
}
