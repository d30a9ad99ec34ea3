import type { Logger } from "../services/log.ts";
import type { NatsAuth, NatsTls } from "./nats-link.ts";
import type { Retention } from "./retention.ts";

/** How to open the NATS engine. */
export interface NatsOptions {
  /** `nats://` or `tls://` URLs, or host:port; one that answers is enough. */
  readonly servers: readonly string[];
  readonly auth?: NatsAuth | undefined;
  /** TLS with authorities or a certificate of one's own. Default: as the servers' URLs say, with the system's authorities. */
  readonly tls?: NatsTls | undefined;
  /** First word of every stream, bucket and subject: 1–32 of `[A-Za-z0-9_-]`. */
  readonly prefix: string;
  /** Copies of each stream. Default: 3 in a cluster, else 1. */
  readonly replicas?: number | undefined;
  readonly retention: Retention;
  /**
   * True for roles room and all: creates the streams, keeps an index of the log, finishes deletions, trims. Others wait
   * until the streams exist, and read history slowly.
   */
  readonly owner: boolean;
  /** True to change age, size, replicas and dedupe window of existing streams to what is set here. Default false. */
  readonly adopt?: boolean | undefined;
  /**
   * Oldest nats-server that may be in a cluster, such as `2.12.0`; with an older one the broker is unfit. Default: the
   * oldest there may be at all.
   */
  readonly minClusterVersion?: string | undefined;
  /** Shown in the server's list of connections. Default `baccarat`. */
  readonly name?: string | undefined;
  readonly log: Logger;
  /** How long to wait for servers, streams and the log's index, in milliseconds. Default 60,000. */
  readonly openMs?: number | undefined;
  /**
   * How many of the newest events an owner reads when it opens the log; older ones are looked for when their room is
   * asked for. Default 2,000,000, which takes about 5 s.
   */
  readonly indexedEvents?: number | undefined;
  /** How long markers of deleted control keys stay and how often to look, in milliseconds. Default: 10 minutes, 1 minute. */
  readonly markers?: { readonly keepMs: number; readonly sweepMs: number } | undefined;
}
