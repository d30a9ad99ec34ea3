import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { unknownName } from "./config-names.ts";
import type { Mistake } from "./config-rule.ts";
import { BY_NAME } from "./config-table.ts";

/** A file of settings: what it says, where, and what is wrong with it. */
export interface ConfigFile {
  readonly path: string;
  readonly values: Readonly<Record<string, string>>;
  /** Line of each name, from 1. */
  readonly lines: ReadonlyMap<string, number>;
  readonly mistakes: readonly Mistake[];
}

const ASSIGNMENT = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/;
const BLANK = /^\s*(#.*)?$/;

/**
 * Reads a file of NAME=value lines as Node's own --env-file does (quotes, comments and `export` included), but passes over
 * nothing: a line that is no setting, a name that is not known or stands there twice is a mistake. Never throws.
 */
export function readConfigFile(path: string): ConfigFile {
  try {
    return parseConfigFile(path, readFileSync(path, "utf8"));
  } catch (error) {
    const text = `${path} cannot be read: ${(error as Error).message}`;
    return { path, values: {}, lines: new Map(), mistakes: [{ name: "CONFIG_FILE", text }] };
  }
}

/** The same for a text that was read. */
export function parseConfigFile(path: string, text: string): ConfigFile {
  const lines = new Map<string, number>();
  const mistakes: Mistake[] = [];
  const rows = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] ?? "";
    if (BLANK.test(row)) continue;
    const where = `${path}:${index + 1}`;
    const [, name, value = ""] = ASSIGNMENT.exec(row) ?? [];
    if (name === undefined) {
      // Not repeated: it may be a secret.
      mistakes.push({ where, name: "CONFIG_FILE", text: "is no line like NAME=value" });
      continue;
    }
    const wrong = lines.has(name) ? `stands in line ${lines.get(name)} already` : strangeness(name);
    if (wrong !== undefined) mistakes.push({ where, name, text: wrong });
    if (!lines.has(name)) lines.set(name, index + 1);
    const end = endOfQuote(rows, index, value);
    if (end === undefined) mistakes.push({ where, name, text: "has a quote that does not end" });
    else index = end;
  }
  return { path, values: parseEnv(text) as Record<string, string>, lines, mistakes };
}

/** A setting in effect may be the environment's or the file's: the environment wins, where it says anything. */
export function withFile(
  env: Readonly<Record<string, string | undefined>>,
  file: ConfigFile | undefined,
): Readonly<Record<string, string | undefined>> {
  if (file === undefined) return env;
  const said = Object.entries(file.values).filter(([name]) => !isSaid(env[name], name));
  return { ...env, ...Object.fromEntries(said), CONFIG_FILE: file.path };
}

/** Where a setting in effect comes from. */
export function sourceOf(
  name: string,
  env: Readonly<Record<string, string | undefined>>,
  file: ConfigFile | undefined,
): "environment" | "file" | "default" {
  if (isSaid(env[name], name)) return "environment";
  return isSaid(file?.values[name], name) ? "file" : "default";
}

/** An empty variable says nothing, but for those where empty is a value. */
function isSaid(text: string | undefined, name: string): boolean {
  return text !== undefined && (text !== "" || BY_NAME.get(name)?.keepsEmpty === true);
}

function strangeness(name: string): string | undefined {
  if (name === "CONFIG_FILE") return "cannot name another file from within one";
  return BY_NAME.has(name) ? undefined : unknownName(name);
}

/** Index of the line in which a value ends that may be quoted over several; undefined when it never does. */
function endOfQuote(rows: readonly string[], start: number, value: string): number | undefined {
  const [quote = ""] = value;
  if (!/["'`]/.test(quote) || value.indexOf(quote, 1) > 0) return start;
  const end = rows.findIndex((row, index) => index > start && row.includes(quote));
  return end === -1 ? undefined : end;
}
