import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DCLinter } from "dclint";
import { parse } from "yaml";

/** A service of a compose file, with its merges and variables resolved; what tests read of it. */
export interface ComposeService {
  readonly image: string;
  readonly build?: unknown;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly secrets?: readonly string[];
  readonly ports?: readonly string[];
  readonly networks?: readonly string[];
  readonly profiles?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly user?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly mem_limit?: string;
  readonly restart?: string;
  readonly stop_grace_period?: string;
}

/** A compose file. */
export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly networks: Readonly<Record<string, { readonly ipam?: { readonly config: readonly { subnet: string }[] } }>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

/**
 * Reads a compose file as docker compose does: YAML with merge keys, then variables.
 * @throws Error for what is no YAML, and with the file's own words for a required variable that is missing.
 */
export function readCompose(text: string, env: Readonly<Record<string, string>>): ComposeFile {
  return interpolate(parse(text, { merge: true, strict: true, uniqueKeys: true }), env) as ComposeFile;
}

/** What dclint says of a file. Its own types are lost on Node's way of resolving modules. */
interface LintResult {
  readonly messages: readonly { readonly type: "error" | "warning"; readonly rule: string; readonly message: string }[];
}

/**
 * Holds a compose file to the schema of the Compose Specification, which dclint brings, and to those of dclint's rules that
 * are not of style. @returns what is wrong; of a file that the schema refuses, the first thing.
 */
export async function lintCompose(text: string): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), "baccarat-dclint-"));
  try {
    const path = join(directory, "docker-compose.yml");
    await writeFile(path, text);
    const linter = new DCLinter({ rules: {}, quiet: true, debug: false, exclude: [] });
    const results: readonly LintResult[] = linter.lintFiles([path], false);
    const errors = results.flatMap(({ messages }) => messages.filter(({ type }) => type === "error"));
    return errors.map(({ rule, message }) => `${rule}: ${message}`);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Reads an env file: lines of NAME=value, and comments. */
export function readEnvironment(text: string): Record<string, string> {
  const pairs = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(pairs.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}

/** ${NAME}, ${NAME:-default} and ${NAME:?what to do}: the forms that are used. */
const VARIABLE = /\$\{([A-Z_]+)(?::([-?])([^}]*))?\}/g;

function interpolate(value: unknown, env: Readonly<Record<string, string>>): unknown {
  if (typeof value === "string") {
    return value.replace(VARIABLE, (_, name: string, kind: string | undefined, rest: string | undefined) => {
      const found = env[name] ?? "";
      if (found !== "") return found;
      if (kind === "-") return rest ?? "";
      throw new Error(`${name}: ${rest ?? "is not set"}`);
    });
  }
  if (Array.isArray(value)) return value.map((item) => interpolate(item, env));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, interpolate(inner, env)]));
}
