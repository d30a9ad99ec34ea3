import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import {
  AuthorizationError,
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  type Msg,
  type NatsConnection,
  type Status,
} from "@nats-io/transport-node";
import type { Logger } from "../services/log.ts";
import type { Unsubscribe } from "./broker.ts";
import { BrokerOpenError } from "./open-error.ts";

/** How to log in to NATS. */
export type NatsAuth =
  | { readonly credsFile: string }
  | { readonly user: string; readonly password: string }
  | { readonly token: string };

/** TLS towards NATS, as PEM text. */
export interface NatsTls {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** Where NATS is and who connects. */
export interface NatsLinkOptions {
  /** `nats://` or `tls://` URLs, or host:port. A user and password in a URL count unless `auth` is given. */
  readonly servers: readonly string[];
  readonly auth?: NatsAuth | undefined;
  /** Authorities and certificate of this side, as PEM text; any of them makes TLS a must. Default: the system's, none. */
  readonly tls?: NatsTls | undefined;
  /** Shown in the server's list of connections. */
  readonly name: string;
  /** How long to wait for a first connection, in milliseconds. */
  readonly openMs: number;
  /** True for a connection over which so much comes that answers to pings may be late. */
  readonly bulk?: boolean;
  readonly log: Logger;
}

/** Two pings without an answer and the server counts as gone: 6 s at most, against 4 minutes by default. */
const PING_MS = 2_000;
const PINGS_OUT = { usual: 2, bulk: 5 };
/** A frozen server accepts connections and says nothing: the next one must get its turn soon. */
const DIAL_MS = 2_000;
const REDIAL_MS = 250;

/**
 * A connection to NATS. It never gives up: once opened it reconnects until it is closed, and says when
 * it is connected and when not. Publishes into a lost connection vanish, so whoever publishes must look first.
 */
export class NatsLink {
  readonly nc: NatsConnection;
  readonly #log: Logger;
  readonly #listeners = new Set<(connected: boolean) => void>();
  #connected = true;
  #closing = false;
  #version: string;
  #clustered: boolean;

  /** Connects to the first server that answers. @throws BrokerOpenError after openMs, or at once for a wrong login. */
  static async open(options: NatsLinkOptions): Promise<NatsLink> {
    const settings = await connectionOptions(options);
    const deadline = performance.now() + options.openMs;
    for (;;) {
      try {
        const nc = await connect(settings);
        // A first dial takes servers that did not answer out of the pool, for good; gossip may have added others.
        nc.setServers([...hosts(options.servers), ...nc.getServers().map((server) => server.listen)].filter(isFirst));
        return new NatsLink(nc, options.log);
      } catch (error) {
        if (error instanceof AuthorizationError) {
          throw new BrokerOpenError("failed", `NATS refuses the login: ${error.message}`, { cause: error });
        }
        if (performance.now() + REDIAL_MS >= deadline) throw unreachable(options, error);
        await delay(REDIAL_MS);
      }
    }
  }

  private constructor(nc: NatsConnection, log: Logger) {
    this.nc = nc;
    this.#log = log;
    this.#version = nc.info?.version ?? "0.0.0";
    this.#clustered = nc.info?.cluster !== undefined;
    void this.#follow();
  }

  /** False from the loss of the connection until the next one is up. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Version of the server connected to last, such as `2.9.10`. */
  get version(): string {
    return this.#version;
  }

  /** True when the server connected to last is one of a cluster. */
  get clustered(): boolean {
    return this.#clustered;
  }

  /** Calls back whenever the connection is lost, and whenever there is one again. */
  onChange(listener: (connected: boolean) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Hears a subject, over reconnects too. An error thrown by `listener` ends here: in the client it would end the loop
   * that reads from the server.
   */
  subscribe(subject: string, listener: (msg: Msg) => void): Unsubscribe {
    const subscription = this.nc.subscribe(subject, {
      callback: (refusal, msg) => {
        if (refusal) {
          this.#log.error({ err: refusal, subject }, "NATS refuses a subscription");
          return;
        }
        try {
          listener(msg);
        } catch (error) {
          this.#log.error({ err: error, subject }, "a listener failed");
        }
      },
    });
    return () => {
      if (!subscription.isClosed()) subscription.unsubscribe();
    };
  }

  /** Sends what waits to be sent, as far as that is possible within `flushMs`, and closes. Idempotent. */
  async close(flushMs: number): Promise<void> {
    this.#closing = true;
    if (this.#connected && !this.nc.isClosed()) await this.flushed(flushMs);
    await this.nc.close();
  }

  /** True once the server has seen everything sent so far; false when the connection broke, or after `withinMs`. */
  async flushed(withinMs: number): Promise<boolean> {
    return Promise.race([this.#flush(), delay(withinMs, false, UNREF)]);
  }

  async #flush(): Promise<boolean> {
    try {
      await this.nc.flush();
      return true;
    } catch (error) {
      this.#log.debug({ err: error }, "flush of NATS connection failed");
      return false;
    }
  }

  async #follow(): Promise<void> {
    for await (const status of this.nc.status()) this.#onStatus(status);
    if (this.#closing) return;
    this.#log.error("the NATS client gave up for good: restart this process");
    this.#change(false);
  }

  #onStatus(status: Status): void {
    switch (status.type) {
      case "disconnect":
        this.#change(false);
        this.#log.warn({ server: status.server }, "connection to NATS lost");
        break;
      case "reconnect":
        this.#version = this.nc.info?.version ?? this.#version;
        this.#clustered = this.nc.info?.cluster !== undefined;
        this.#log.info({ server: status.server, version: this.#version }, "connected to NATS again");
        this.#change(true);
        break;
      case "error":
        this.#log.error({ err: status.error }, "NATS reports an error");
        break;
      case "ldm":
        this.#log.info({ server: status.server }, "NATS server is about to stop");
        break;
      default:
    }
  }

  #change(connected: boolean): void {
    this.#connected = connected;
    for (const listener of this.#listeners) listener(connected);
  }
}

const UNREF = { ref: false };

async function connectionOptions(options: NatsLinkOptions): Promise<ConnectionOptions> {
  return {
    ...(await login(options)),
    ...tlsOptions(options),
    servers: hosts(options.servers),
    name: options.name,
    timeout: DIAL_MS,
    pingInterval: PING_MS,
    maxPingOut: options.bulk ? PINGS_OUT.bulk : PINGS_OUT.usual,
    reconnectTimeWait: REDIAL_MS,
    reconnectJitter: REDIAL_MS,
    reconnectJitterTLS: REDIAL_MS,
    maxReconnectAttempts: -1,
    // A server that restarts may refuse a login for a moment; giving up would take a restart of this process to heal.
    ignoreAuthErrorAbort: true,
    // An Error object with a stack per request costs more than the request.
    noAsyncTraces: true,
  };
}

/** TLS where it is asked for: by authorities or a certificate, or by a server's URL. */
function tlsOptions({ tls, servers }: NatsLinkOptions): Pick<ConnectionOptions, "tls"> {
  if (tls === undefined) return servers.some((server) => server.startsWith("tls://")) ? { tls: {} } : {};
  const { ca, cert, key } = tls;
  return {
    tls: { ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) },
  };
}

async function login(options: NatsLinkOptions): Promise<ConnectionOptions> {
  const { auth } = options;
  if (auth === undefined) {
    const url = options.servers.map(toUrl).find((candidate) => candidate.username !== "");
    if (url === undefined) return {};
    return { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) };
  }
  if ("token" in auth) return { token: auth.token };
  if ("user" in auth) return { user: auth.user, pass: auth.password };
  try {
    return { authenticator: credsAuthenticator(await readFile(auth.credsFile)) };
  } catch (error) {
    throw new BrokerOpenError("failed", `NATS_CREDS ${auth.credsFile} cannot be read`, { cause: error });
  }
}

/** The client takes host:port only: with a login in the address it reads the wrong host. */
function hosts(servers: readonly string[]): string[] {
  return servers.map((server) => {
    const url = toUrl(server);
    return `${url.hostname}:${url.port === "" ? "4222" : url.port}`;
  });
}

function toUrl(server: string): URL {
  return new URL(server.includes("://") ? server : `nats://${server}`);
}

function isFirst(value: string, index: number, all: readonly string[]): boolean {
  return all.indexOf(value) === index;
}

function unreachable(options: NatsLinkOptions, error: unknown): BrokerOpenError {
  const servers = hosts(options.servers).join(", ");
  const reason = error instanceof Error ? error.message : String(error);
  return new BrokerOpenError("failed", `no NATS server answers within ${options.openMs} ms at ${servers}: ${reason}`, {
    cause: error,
  });
}
