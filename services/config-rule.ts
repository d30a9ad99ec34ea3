import type { Config, Role } from "./config.ts";

/** What is wrong with one variable. */
export interface Mistake {
  /** The variable to change. */
  readonly name: string;
  /** What is wrong and what to do, without secrets. */
  readonly text: string;
  /** File and line it stands in, as `<path>:<line>`. Default: it is in the environment, or follows from what is unset. */
  readonly where?: string;
}

/** How a process was started, beside its environment. */
export interface Started {
  /** Flags of Node itself, as in process.execArgv. Default: none. */
  readonly flags?: readonly string[];
  /** Version of Node, as in process.versions.node. Default: one without fault. */
  readonly nodeVersion?: string;
  /** Path of `--config`, which wins over CONFIG_FILE. Default: none. */
  readonly configFile?: string | undefined;
  /** True with `--demo`. Default false. */
  readonly demo?: boolean;
}

/** A condition over several variables; texts returned are what is wrong. */
export interface Rule {
  readonly name: string;
  /** Roles it concerns. Default: all. */
  readonly roles?: readonly Role[];
  readonly broken: (config: Config, started: Started) => string | readonly string[] | false;
}

/** Roles that have a public listener, and roles that have an RPC API. */
export const HAS_EDGE: readonly Role[] = ["all", "edge"];
export const HAS_RPC: readonly Role[] = ["all", "room"];

/** The variables that log in to NATS, of those that are set. */
export function natsLogins(config: Config): string[] {
  const logins = { NATS_CREDS: config.natsCreds, NATS_USER: config.natsUser, NATS_TOKEN: config.natsToken };
  return Object.entries(logins).flatMap(([name, value]) => (value === undefined ? [] : [name]));
}
