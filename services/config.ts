import { readFileSync } from "node:fs";
import { type ConfigFile, readConfigFile, sourceOf, withFile } from "./config-file.ts";
import { findStrangeNames } from "./config-names.ts";
import type { Mistake, Started } from "./config-rule.ts";
import { findBrokenRules } from "./config-rules.ts";
import { BY_NAME, environmentName, LIMIT_VARIABLES, VARIABLES, type VariableValues } from "./config-table.ts";
import { BadValue, type RpcToken, rpcTokens } from "./config-values.ts";
import type { Variable } from "./config-variable.ts";
import type { Limits } from "./limits.ts";

/** What a process runs: both planes, the data plane, or the control plane. */
export type Role = "all" | "edge" | "room";
export const ROLES: readonly Role[] = ["all", "edge", "room"];

/** The environment as a record: process.env in main.ts, a literal in tests. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Everything that can be set, typed, valid and deeply frozen. Keys are those of the table: EDGE_PORT is edgePort. */
export interface Config extends VariableValues {
  readonly role: Role;
  /** NODE_ENV is `production`. */
  readonly production: boolean;
  /** As set, or what follows from whether there are tokens to ask for. */
  readonly adminConsole: "on" | "off";
  readonly limits: Limits;
}

/** A configuration, or one line per mistake: the variable, a colon, what is wrong and what to do. */
export type ParsedConfig =
  | { readonly ok: true; readonly config: Config; readonly file?: ConfigFile }
  | { readonly ok: false; readonly mistakes: readonly string[] };

/** Exit code of a process whose configuration is wrong: EX_CONFIG of sysexits.h. */
export const EXIT_CONFIG = 78;

/**
 * Reads the environment, and under it the file it names. An empty variable counts as unset, but for those where empty is
 * a value. Never throws.
 */
export function parseConfig(environment: Environment, role: Role = "all", started: Started = {}): ParsedConfig {
  const path = started.configFile ?? environment.CONFIG_FILE;
  const file = path ? readConfigFile(path) : undefined;
  const env = withFile(environment, file);
  const mistakes = [...findStrangeNames(environment), ...(file?.mistakes ?? [])];
  const values = readAll(VARIABLES, env, mistakes) as VariableValues;
  const limits = readAll(LIMIT_VARIABLES, env, mistakes) as Limits;
  const production = values.nodeEnv === "production";
  const rpcTokens = [...values.rpcTokens, ...readTokenFile(values.rpcTokensFile, mistakes)];
  const config: Config = deepFreeze({
    ...values,
    roomCreation: production && isUnset(env, "ROOM_CREATION") ? "listed" : values.roomCreation,
    rpcTokens,
    adminConsole: values.adminConsole ?? (rpcTokens.length > 0 ? "on" : "off"),
    role,
    production,
    limits,
  });
  // A variable that could not be read has its default here, so what the rules say of it would be beside the point.
  const unread = new Set(mistakes.map((mistake) => mistake.name));
  mistakes.push(...findBrokenRules(config, started).filter((mistake) => !unread.has(mistake.name)));
  if (mistakes.length === 0) return { ok: true, config, ...(file && { file }) };
  const where = ({ name }: Mistake): string | undefined =>
    file && sourceOf(name, environment, file) === "file" ? `${file.path}:${file.lines.get(name)}` : undefined;
  return { ok: false, mistakes: mistakes.map((mistake) => describe({ where: where(mistake), ...mistake })) };
}

/** True when the variable has no value of its own. */
export function isUnset(env: Environment, name: string): boolean {
  const text = env[name];
  return text === undefined || (text === "" && BY_NAME.get(name)?.keepsEmpty !== true);
}

function readAll(
  rows: Readonly<Record<string, Variable<unknown>>>,
  env: Environment,
  mistakes: Mistake[],
): Record<string, unknown> {
  const entries = Object.entries(rows).map(([key, row]) => [key, readOne(environmentName(key), row, env, mistakes)]);
  return Object.fromEntries(entries) as Record<string, unknown>;
}

function readOne(name: string, row: Variable<unknown>, env: Environment, mistakes: Mistake[]): unknown {
  const text = env[name];
  if (text !== undefined && !isUnset(env, name)) {
    try {
      return row.read(text);
    } catch (error) {
      if (!(error instanceof BadValue)) throw error;
      const shown = row.secret ? "" : `${shorten(JSON.stringify(text))} `;
      mistakes.push({ name, text: `${shown}${error.message}` });
    }
  }
  return row.default === undefined ? undefined : row.read(row.default);
}

function readTokenFile(path: string | undefined, mistakes: Mistake[]): readonly RpcToken[] {
  if (path === undefined) return [];
  try {
    return rpcTokens(readFileSync(path, "utf8"));
  } catch (error) {
    const reason = error instanceof BadValue ? error.message : `cannot be read: ${(error as Error).message}`;
    mistakes.push({ name: "RPC_TOKENS_FILE", text: reason });
    return [];
  }
}

const SHOWN_CHARACTERS = 80;

/** What is shown of a wrong value: its beginning, without a login in a URL. */
function shorten(value: string): string {
  const text = value.replace(/\/\/.*@/, "//…@");
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`;
}

/** Names come from outside as well: one line stays one line. */
function describe({ where, name, text }: Omit<Mistake, "where"> & { readonly where?: string | undefined }): string {
  return `${where === undefined ? "" : `${where}: `}${name}: ${text}`.replace(/[^\x20-\x7e…]/g, "?");
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
