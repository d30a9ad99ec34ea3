import type { Position } from "./frames.ts";
import type { Identity } from "./identity.ts";

/** How a client came, which its welcome answers. */
export interface Greeting {
  /** Id of the login. */
  readonly id: string | undefined;
  /** Position up to which it has direct messages. */
  readonly since: Position | undefined;
  /** The user was made up for this connection: nobody else knows of it. */
  readonly isNew: boolean;
}

/** Who a client is. */
export interface Arrival {
  readonly identity: Identity;
  /** Undefined when it was welcomed already. */
  readonly greeting: Greeting | undefined;
}
