import { type Config, type Environment, isUnset } from "./config.ts";
import { BY_NAME, environmentName, type Variable } from "./config-table.ts";

/** What --help prints: how to start it, and every variable with its default and meaning. */
export function configHelp(): string {
  const lines = [
    "Usage: npm start -- [--role=all|edge|room] [--demo] [--check-config] [--help]",
    "",
    "  --role=all       edge and RoomService in one process (default)",
    "  --role=edge      WebSocket connections only; needs NATS_URL and ROOM_SERVICE_URL",
    "  --role=room      the RPC API and the control plane only; needs NATS_URL",
    "  --demo           deal a baccarat table in room table-1, without money; role all only",
    "  --check-config   list the settings in force, or what is wrong with them (exit code 78)",
    "  --print-config   the same as an environment file: what is set, what follows from it, secrets left out",
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
export function describeSettings(env: Environment): string {
  const width = Math.max(...[...BY_NAME.keys()].map((name) => name.length));
  const lines = [...BY_NAME].map(([name, row]) => {
    const label = name.padEnd(width);
    if (isUnset(env, name)) return `${label}  ${shownDefault(row)} (default)`;
    return `${label}  ${row.secret ? "(set, not shown)" : env[name] || "(empty)"}`;
  });
  return `${lines.join("\n")}\n`;
}

/**
 * What --print-config prints: an environment file with every variable. What is unset, or is a secret, is a comment, so that
 * the file can be kept, compared and used again.
 */
export function printSettings(env: Environment, config: Config): string {
  const chosen = new Map<string, unknown>(Object.entries(config).map(([key, value]) => [environmentName(key), value]));
  const lines = [...BY_NAME].map(([name, row]) => {
    if (row.secret) return `# ${name} is ${isUnset(env, name) ? `unset: ${shownDefault(row)}` : "set, and not shown"}`;
    if (!isUnset(env, name)) return `${name}=${env[name]}`;
    const value = chosen.get(name);
    // Some defaults follow from the role or from production: what is in force counts.
    const text = typeof value === "string" ? value : row.default;
    return text === undefined || text === "" ? `# ${name} is unset: ${shownDefault(row)}` : `${name}=${text}`;
  });
  return `# role ${config.role}\n${lines.join("\n")}\n`;
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
    "`npm start -- --check-config` lists the settings in force, `--print-config` prints them as an environment file (without",
    "secrets), `--help` lists this page. Port 0 takes a free port, and the port taken is printed. No limit can be switched",
    "off. `LOG_LEVEL` alone can be changed while a process runs: SIGUSR2 turns it to `debug`, and the next one back.",
    "",
    "`NODE_ENV=production` refuses what is unsafe on the open internet: guests, an RPC API without tokens, secrets under",
    "32 bytes, tokens of clients without issuer and audience, `*` and plain `http` origins, keys fetched over plain `http`,",
    "`X-Forwarded-For` believed from everybody, and NATS without credentials.",
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
