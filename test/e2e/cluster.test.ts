import { afterAll, beforeAll, describe } from "vitest";
import { Cluster } from "../support/cluster.ts";
import { NO_TRAFFIC_LIMITS } from "../support/topology.ts";
import { badInput } from "./scenarios/bad-input.ts";
import { catchUp } from "./scenarios/catch-up.ts";
import { conversation } from "./scenarios/conversation.ts";
import { crowdedRoom } from "./scenarios/crowded-room.ts";
import { dedupe } from "./scenarios/dedupe.ts";
import { direct } from "./scenarios/direct.ts";
import { history } from "./scenarios/history.ts";
import { messages } from "./scenarios/messages.ts";
import { moderation } from "./scenarios/moderation.ts";
import { order } from "./scenarios/order.ts";
import { presence } from "./scenarios/presence.ts";
import { recovery } from "./scenarios/recovery.ts";
import { rooms } from "./scenarios/rooms.ts";
import { rpcAdmin } from "./scenarios/rpc-admin.ts";
import { rpcMessages } from "./scenarios/rpc-messages.ts";
import { rpcProtocols } from "./scenarios/rpc-protocols.ts";
import { rpcRooms } from "./scenarios/rpc-rooms.ts";

describe("3 NATS servers, 2 RoomServices, 3 edges", () => {
  const topology = new Cluster({ ...NO_TRAFFIC_LIMITS, HISTORY_MAX_MESSAGES: "20000" });
  beforeAll(() => topology.start(), 90_000);
  afterAll(() => topology.stop(), 30_000);

  for (const scenarios of [conversation, rooms, dedupe, history, recovery, messages, direct, catchUp, presence]) {
    scenarios(topology);
  }
  for (const scenarios of [badInput, rpcRooms, rpcMessages, rpcAdmin, rpcProtocols, moderation]) scenarios(topology);
  for (const scenarios of [crowdedRoom, order]) scenarios(topology);
});
