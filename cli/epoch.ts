import type { Command } from "commander";
import { type Config, parseConfig } from "../services/config.ts";
import { createLog } from "../services/log.ts";
import { CliError, EXIT } from "./exit-codes.ts";
import { action, type Session, type Shell } from "./session.ts";

/** epoch bump. */
export function addEpoch(program: Command, shell: Shell): void {
  const epoch = program.command("epoch").description("administer the log's identity");
  epoch
    .command("bump")
    .description("give the log another epoch, after it was restored from a backup: clients then reload what they have")
    .option("--yes", "do it; without this it is only said what would be done", false)
    .addHelpText(
      "after",
      `
The log is that of the environment roomctl runs in, which is to be the server's: NATS_URL and how to log in there, or
DATA_DIR. The embedded log must not be in use, so stop the process first. On NATS it is best done before RoomServices and
edges are started; those that run notice it within seconds, end, and have to be started again. Clients that come back with
a position are answered epoch_changed.`,
    )
    .action(action(shell, bump));
}

async function bump(session: Session, _: readonly string[], { yes }: { readonly yes: boolean }): Promise<void> {
  const config = brokerConfig(session);
  const where = config.natsUrl === undefined ? `in ${config.dataDir}` : `on NATS (${config.natsPrefix})`;
  if (!yes) {
    throw new CliError(`--yes gives the log ${where} another epoch: every client reloads what it has`, EXIT.usage);
  }
  // Loaded only here: no other command needs a broker.
  const { bumpEpoch } = await import("../broker/epoch.ts");
  const { before, after } = await bumpEpoch({ config, log: createLog({ level: "silent" }) });
  session.print(`the epoch of the log ${where} was ${before || "unknown"} and is ${after}`, { before, after });
}

/** What the environment says of the broker, as the roles that own it read it. */
export function brokerConfig({ shell: { env } }: Session): Config {
  const parsed = parseConfig(env, env.NATS_URL ? "room" : "all");
  if (parsed.ok) return parsed.config;
  throw new CliError(`the environment is not a server's: ${parsed.mistakes.join("; ")}`);
}
