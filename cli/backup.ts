import type { Command } from "commander";
import { createLog } from "../services/log.ts";
import { brokerConfig } from "./epoch.ts";
import { CliError, EXIT } from "./exit-codes.ts";
import { ProgressBar } from "./progress.ts";
import { action, type Session, type Shell } from "./session.ts";

const WHERE = `
The log is that of the environment roomctl runs in, which is to be the server's: NATS_URL and how to log in there, or
DATA_DIR.`;

/** backup, restore. */
export function addBackup(program: Command, shell: Shell): void {
  program
    .command("backup")
    .description("write the log and the control log into a directory")
    .argument("<directory>", "made when it is not there; what is in it is never overwritten")
    .addHelpText(
      "after",
      `${WHERE} On NATS everything goes on meanwhile; the files are those of nats stream backup. The
embedded log must not be in use: a process that runs makes backups by itself, see BACKUP_DIR.`,
    )
    .action(action(shell, backUp));
  program
    .command("restore")
    .description("make a log of a backup, with a new epoch, where there is none")
    .argument("<backup>", "the directory that backup wrote; with DATA_DIR, the file baccarat-<time>.db")
    .option("--yes", "do it; without this it is only said what would be done", false)
    .addHelpText(
      "after",
      `${WHERE} Stop edges and RoomServices first, and start them afterwards. Where there is a log,
nothing is done: delete the streams, or move DATA_DIR away. NATS_REPLICAS sets how many copies there shall be. Clients that
come back with a position are answered epoch_changed and reload.`,
    )
    .action(action(shell, restore));
}

async function backUp(session: Session, [directory = ""]: readonly string[]): Promise<void> {
  // Loaded only here: no other command needs a broker.
  const broker = await import("../broker/backup.ts");
  const config = brokerConfig(session);
  const place = { config, directory, log: createLog({ level: "silent" }) };
  const parts = await withBar(session, (onBytes) => broker.backUp({ ...place, onBytes }));
  const lines = parts.map(({ name, messages }) => (messages === undefined ? name : `${name}: ${messages} messages`));
  session.print(lines.join("\n"), parts);
}

async function restore(
  session: Session,
  [directory = ""]: readonly string[],
  { yes }: { readonly yes: boolean },
): Promise<void> {
  const config = brokerConfig(session);
  const where = config.natsUrl === undefined ? `in ${config.dataDir}` : `on NATS (${config.natsPrefix})`;
  if (!yes) throw new CliError(`--yes makes a log ${where} of ${directory}`, EXIT.usage);
  const broker = await import("../broker/backup.ts");
  const place = { config, directory, log: createLog({ level: "silent" }) };
  const epoch = await withBar(session, (onBytes) => broker.restore({ ...place, onBytes }));
  session.print(`there is a log ${where} again; its epoch is ${epoch}`, { epoch });
}

/** Shows how far it has come; a bar for each stream. */
async function withBar<T>(
  session: Session,
  work: (onBytes: (stream: string, done: number, of: number) => void) => Promise<T>,
): Promise<T> {
  const bar = new ProgressBar(session);
  const kilobytes = (bytes: number): number => Math.ceil(bytes / 1_000);
  try {
    return await work((stream, done, of) => bar.show(`kB of ${stream}`, kilobytes(done), kilobytes(of)));
  } finally {
    bar.clear();
  }
}
