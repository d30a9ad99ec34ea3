import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { type NatsBroker, type NatsOptions, openNatsBroker } from "../../broker/nats.ts";
import type { Retention } from "../../broker/retention.ts";
import { NatsNames } from "../../broker/subjects.ts";
import type { NatsServers } from "../support/nats-server.ts";
import { recordingLog } from "./embedded-storage.ts";
import { GENEROUS, type Storage } from "./engine.ts";

let created = 0;

/** A prefix of its own on servers that others use too. */
export class NatsStorage implements Storage {
  readonly prefix: string;
  readonly names: NatsNames;
  readonly #servers: NatsServers;

  constructor(servers: NatsServers) {
    this.prefix = `t${++created}`;
    this.names = new NatsNames(this.prefix);
    this.#servers = servers;
  }

  /** Opens a broker as roles room and all do, taking over whatever limits are given now. */
  open(retention: Retention = GENEROUS, options: Partial<NatsOptions> = {}): Promise<NatsBroker> {
    return openNatsBroker({
      servers: this.#servers.urls,
      prefix: this.prefix,
      retention,
      owner: true,
      adopt: true,
      log: recordingLog().log,
      ...options,
    });
  }

  async dispose(): Promise<void> {
    const nc = await connect({ servers: this.#servers.urls });
    const { streams } = await jetstreamManager(nc, { checkAPI: false });
    await Promise.all([streams.delete(this.names.logStream), streams.delete(this.names.controlStream)]);
    await nc.close();
  }
}
