import type { Broker } from "../broker/broker.ts";
import type { Limits } from "../services/limits.ts";
import type { Logger } from "../services/log.ts";
import type { Metrics } from "../services/metrics.ts";
import type { Publisher } from "../services/publisher.ts";
import type { Connection } from "./connection.ts";
import type { DirectPermits } from "./direct-permits.ts";
import type { ConversationFields } from "./frame-encoders.ts";
import type { Hub } from "./hub.ts";
import type { Authenticator, Identity } from "./identity.ts";
import type { RateLimits } from "./rate-limits.ts";
import type { RoomLink } from "./room-link.ts";
import type { Roster } from "./roster.ts";

/** The parts of an edge that commands work with. */
export interface CommandContext {
  readonly broker: Broker;
  readonly hub: Hub;
  readonly link: RoomLink;
  readonly roster: Roster<Connection>;
  readonly publisher: Publisher;
  /** Who may write to whom. */
  readonly directPermits: DirectPermits;
  readonly authenticator: Authenticator;
  readonly limits: Limits;
  /** How fast each user may join rooms. */
  readonly joinRates: RateLimits;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Tells a client who it is, and which conversations it has. */
  readonly welcome: (connection: Connection, id: string | undefined, direct: readonly ConversationFields[]) => void;
  /** Lets a client be who it proved to be anew, and tells the control plane. */
  readonly relogin: (connection: Connection, identity: Identity) => void;
}
