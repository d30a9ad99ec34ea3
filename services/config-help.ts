import { type Config, type Environment, isUnset } from "./config.ts";
import { type ConfigFile, sourceOf, withFile } from "./config-file.ts";
import { BY_NAME, environmentName } from "./config-table.ts";
import type { Variable } from "./config-variable.ts";

/** What --help prints: how to start it, and every variable with its default and meaning. */
export function configHelp(): string {
  const lines = [
    "Usage: npm start -- [--role=all|edge|room] [--config=FILE] [--demo] [--check-config] [--help]",
    "",
    "  --role=all       edge and RoomService in one process (default)",
    "  --role=edge      WebSocket connections only; needs NATS_URL and ROOM_SERVICE_URL",
    "  --role=room      the RPC API and the control plane only; needs NATS_URL",
    "  --demo           deal a baccarat table in room table-1, without money, and lead the page there; role all only",
    "  --check-config   list the settings in force, or what is wrong with them (exit code 78)",
    "  --print-config   the same as a file for --config: what is set and where, what follows from it, secrets left out",
    "  --config=FILE    a file of the variables below, one NAME=value a line; the environment wins over it",
    "  --help           this text",
    "",
    "Everything else is set by environment variables. An empty one counts as unset, but for DEFAULT_ROOM.",
    "SIGUSR2 turns LOG_LEVEL to debug while the process runs, and back.",
  ];
  for (const [group, rows] of groups()) {
    lines.push("", `${group}:`);
    for (const [name, row] of rows) lines.push(`  ${name} (${shownDefault(row)})`, `      ${row.meaning}`);
  }
  return `${lines.join("\n")}\n`;
}

/** What --check-config prints: every variable with the value in force; secrets are not shown. */
export function describeSettings(environment: Environment, file?: ConfigFile): string {
  const env = withFile(environment, file);
  const width = Math.max(...[...BY_NAME.keys()].map((name) => name.length));
  const lines = [...BY_NAME].map(([name, row]) => {
    const label = name.padEnd(width);
    if (isUnset(env, name)) return `${label}  ${shownDefault(row)} (default)`;
    const from = file && sourceOf(name, environment, file) === "file" ? ` (${file.path}:${file.lines.get(name)})` : "";
    return `${label}  ${row.secret ? "(set, not shown)" : env[name] || "(empty)"}${from}`;
  });
  return `${lines.join("\n")}\n`;
}

/**
 * What --print-config prints: a file for --config with every variable, by where its value comes from. What is unset, or is
 * a secret, is a comment, so that the file can be kept, compared and used again.
 */
export function printSettings(environment: Environment, config: Config, file?: ConfigFile): string {
  const env = withFile(environment, file);
  const chosen = new Map<string, unknown>(Object.entries(config).map(([key, value]) => [environmentName(key), value]));
  const line = ([name, row]: [string, Variable<unknown>]): string => {
    if (row.secret) return `# ${name} is ${isUnset(env, name) ? `unset: ${shownDefault(row)}` : "set, and not shown"}`;
    // A file cannot name another.
    if (name === "CONFIG_FILE") return `# ${name} is ${env[name] || "unset"}`;
    if (!isUnset(env, name)) return `${name}=${quoted(env[name] ?? "")}`;
    const value = chosen.get(name);
    // Some defaults follow from the role or from production: what is in force counts.
    const text = typeof value === "string" ? value : row.default;
    return text === undefined || text === "" ? `# ${name} is unset: ${shownDefault(row)}` : `${name}=${quoted(text)}`;
  };
  const bySource = Map.groupBy(BY_NAME, ([name]) => sourceOf(name, environment, file));
  const sections = [
    ["From the environment", bySource.get("environment")],
    [`From ${file?.path}`, bySource.get("file")],
    ["Defaults", bySource.get("default")],
  ] as const;
  const texts = sections.flatMap(([title, rows]) => (rows ? [`\n# ${title}\n${rows.map(line).join("\n")}\n`] : []));
  return `# role ${config.role}\n${texts.join("")}`;
}

/** As it has to be written where `#` begins a comment and quotes are taken off. */
function quoted(text: string): string {
  if (!/[#"'`\s]/.test(text)) return text;
  const quote = ["'", '"', "`"].find((candidate) => !text.includes(candidate)) ?? "";
  return `${quote}${text}${quote}`;
}

/** docs/configuration.md. */
export function configDocs(): string {
  const lines = [
    "# Configuration",
    "",
    "<!-- Written by `npm run generate` from services/config-table.ts and services/limits.ts. -->",
    "",
    "Everything is set by environment variables. They are read once, at the start, and checked together: a bad value, a",
    "name that begins with `BACCARAT_`, or one that is a slip of the pen away from a known name stops the process with",
    "one line per mistake and exit code 78. An empty variable counts as unset, but for `DEFAULT_ROOM`.",
    "",
    "`CONFIG_FILE`, or `--config=FILE`, names a file of the same variables, one `NAME=value` a line as for Node's `--env-file`",
    "(`#` comments, quotes where a value has spaces or `#`). The environment wins over it. A mistake in it names the line;",
    "unlike the environment, which belongs to everybody, the file may name nothing that is not on this page. Paths in it are",
    "relative to where the process was started.",
    "",
    "`npm start -- --check-config` lists the settings in force and the line of the file each came from, `--print-config`",
    "prints them as such a file, by where they come from (secrets left out), `--help` lists this page. Port 0 takes a free port, and the port taken is printed. No limit can be switched",
    "off. `LOG_LEVEL` alone can be changed while a process runs: SIGUSR2 turns it to `debug`, and the next one back.",
    "",
    "`NODE_ENV=production` refuses what is unsafe on the open internet: guests, an RPC API without tokens, secrets under",
    "32 bytes or that everybody knows, tokens of clients without issuer and audience, `*` and plain `http` origins, keys",
    "fetched over plain `http`, `X-Forwarded-For` believed from everybody, NATS without credentials, one copy of the log in a",
    "cluster, RPC and NATS without TLS off loopback (unless `INSECURE_RPC` and `INSECURE_NATS` say so), `--inspect`, `--demo`,",
    "certificates that are not checked, and a Node with known weaknesses.",
  ];
  for (const [group, rows] of groups()) {
    lines.push("", `## ${group}`, "", "| Variable | Default | Meaning |", "| --- | --- | --- |");
    for (const [name, row] of rows) {
      const shown = row.unset === undefined ? `\`${row.default}\`` : row.unset;
      lines.push(`| \`${name}\` | ${shown} | ${row.meaning.replaceAll("|", "\\|")} |`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function shownDefault(row: Variable<unknown>): string {
  return row.unset ?? row.default ?? "";
}

function groups(): Map<string, [string, Variable<unknown>][]> {
  return Map.groupBy(BY_NAME, ([, row]) => row.group);
}
