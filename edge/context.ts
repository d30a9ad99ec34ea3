import type { Broker } from "../broker/broker.ts";
import type { Limits } from "../services/limits.ts";
import type { Metrics } from "../services/metrics.ts";
import type { Publisher } from "../services/publisher.ts";
import type { Connection } from "./connection.ts";
import type { Hub } from "./hub.ts";
import type { Authenticator, Identity } from "./identity.ts";
import type { Permits } from "./permits.ts";
import type { RoomLink } from "./room-link.ts";
import type { Roster } from "./roster.ts";

/** The parts of an edge that commands work with. */
export interface CommandContext {
  readonly broker: Broker;
  readonly hub: Hub;
  readonly link: RoomLink;
  readonly roster: Roster;
  readonly publisher: Publisher;
  /** Who may write to whom, as the control plane said. */
  readonly conversationPermits: Permits;
  readonly authenticator: Authenticator;
  readonly limits: Limits;
  readonly metrics: Metrics;
  /** Tells the client who it is. */
  readonly welcome: (connection: Connection, identity: Identity, id?: string) => void;
}
