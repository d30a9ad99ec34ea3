import { crossEdgeCase } from "./cases/cross-edge.ts";
import { edgesCase } from "./cases/edges.ts";
import { fanOutCase } from "./cases/fan-out.ts";
import { floodCase } from "./cases/flood.ts";
import { historyCase } from "./cases/history.ts";
import { idleCase } from "./cases/idle.ts";
import { ingestCase } from "./cases/ingest.ts";
import { openLoopCase } from "./cases/open-loop.ts";
import { overloadCase } from "./cases/overload.ts";
import { publishStreamCase } from "./cases/publish-stream.ts";
import { roomsCase } from "./cases/rooms.ts";
import { stormCase } from "./cases/storm.ts";
import { unaryCase } from "./cases/unary.ts";
import { upgradesCase } from "./cases/upgrades.ts";
import type { Plan } from "./measure.ts";
import type { Outcome } from "./report.ts";

/** What can be measured, by name, in the order in which it is. */
export const CASES: Readonly<Record<string, (plan: Plan) => Promise<Outcome>>> = {
  "fan-out": fanOutCase,
  "open-loop": openLoopCase,
  ingest: ingestCase,
  unary: unaryCase,
  "publish-stream": publishStreamCase,
  upgrades: upgradesCase,
  idle: idleCase,
  rooms: roomsCase,
  edges: edgesCase,
  storm: stormCase,
  history: historyCase,
  "cross-edge": crossEdgeCase,
  flood: floodCase,
  overload: overloadCase,
};
