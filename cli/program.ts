import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command, Option } from "commander";
import { addAdmin } from "./admin.ts";
import { addBackup } from "./backup.ts";
import { addBench } from "./bench.ts";
import { addDoctor } from "./doctor.ts";
import { addEpoch } from "./epoch.ts";
import { addErase } from "./erase.ts";
import { EXIT_MEANINGS } from "./exit-codes.ts";
import { addMembers } from "./members.ts";
import { addMessages } from "./messages.ts";
import { addRooms } from "./rooms.ts";
import type { Shell } from "./session.ts";
import { addToken } from "./token.ts";
import { addTrace } from "./trace.ts";
import { httpUrl, integer } from "./values.ts";

const DEFAULT_URL = "http://127.0.0.1:8080";

function version(): string {
  const text = readFileSync(join(import.meta.dirname, "../package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** As everywhere, an empty variable counts as unset. */
function rpcUrl(text: string): string {
  return text === "" ? DEFAULT_URL : httpUrl(text);
}

/** What each command looks like when used; shown at the end of its --help. */
const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  token: ["JWT_SECRET=… roomctl token percy --role moderator --expires 12h"],
  "rooms list": ["roomctl rooms list table.", "roomctl --json rooms list | jq -r '.[].room_id'"],
  "rooms get": ["roomctl rooms get table.7"],
  "rooms create": ["roomctl rooms create table.7 --title 'Table 7' --capacity 500 --metadata game=baccarat"],
  "rooms update": ["roomctl rooms update table.7 --frozen true"],
  "rooms delete": ["roomctl rooms delete table.7"],
  send: ["roomctl send general 'Back in five minutes'", "echo hello | roomctl send percy - --direct"],
  publish: [`roomctl publish table.7 table.result '{"winner":"banker"}'`],
  history: ["roomctl history general --limit 20", "roomctl --json history general --events"],
  tail: ["roomctl tail general --history 10", "roomctl --json tail 'table.*' | jq .custom_event.type"],
  "delete-message": ["roomctl delete-message general 4711"],
  members: ["roomctl members general"],
  bans: ["roomctl bans general"],
  kick: ["roomctl kick general percy --reason 'be kind'"],
  ban: ["roomctl ban general percy --for 7d --reason spam"],
  unban: ["roomctl unban general percy"],
  mute: ["roomctl mute general percy --for 10m"],
  unmute: ["roomctl unmute general percy"],
  invite: ["roomctl invite backstage percy"],
  uninvite: ["roomctl uninvite backstage percy"],
  clients: ["roomctl clients --user percy"],
  disconnect: ["roomctl disconnect --user percy --reason 'signed out'"],
  revoke: ["roomctl revoke --user percy --reason 'lost phone'"],
  edges: ["roomctl edges"],
  drain: ["roomctl drain edge-1"],
  stats: ["roomctl stats"],
  notice: ["roomctl notice 'We are back in five minutes'"],
  audit: ["roomctl audit --room general --limit 20"],
  bench: ["roomctl bench --clients 50 --messages 10000", "roomctl bench --rate 200 --edge ws://edge.example/ws"],
  trace: ["roomctl trace 427084052e32be37-4711"],
  "delete-user-messages": [
    "roomctl delete-user-messages percy --yes",
    "roomctl delete-user-messages percy --room general --yes",
  ],
  backup: ["DATA_DIR=./data roomctl backup ./backups", "NATS_URL=nats://n1:4222 roomctl backup ./backups/monday"],
  restore: ["NATS_URL=nats://n1:4222 roomctl restore ./backups/monday --yes"],
  "epoch bump": ["DATA_DIR=./data roomctl epoch bump --yes", "NATS_URL=nats://n1:4222 roomctl epoch bump --yes"],
  doctor: ["roomctl doctor", "NATS_URL=nats://n1:4222,nats://n2:4222 roomctl doctor --role edge"],
};

const FOOTER = `
Exit codes:
${[...EXIT_MEANINGS].map(([code, meaning]) => `  ${String(code).padEnd(3)} ${meaning}`).join("\n")}

Colours are used on terminals only, and never with NO_COLOR. roomctl <command> --help shows examples.
`;

/** The whole of roomctl. Its parse methods throw CommanderError instead of ending the process. */
export function createProgram(shell: Shell): Command {
  const program = new Command("roomctl")
    .description("Administers rooms, their members and their messages, over RoomService.")
    .version(version(), "--version", "print the version")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void shell.stdout.write(text),
      writeErr: (text) => void shell.stderr.write(text),
    })
    .configureHelp({ showGlobalOptions: true, helpWidth: 100 })
    .addOption(new Option("--url <url>", "RoomService").argParser(rpcUrl).env("ROOMCTL_URL").default(DEFAULT_URL))
    .addOption(new Option("--token <secret>", "secret of an RPC token; safer in the environment").env("ROOMCTL_TOKEN"))
    .option("--json", "print JSON: one document, or one line for each event of a stream", false)
    .option("--timeout <ms>", "how long a call may take", integer(100, 600_000), 10_000)
    .showHelpAfterError("(roomctl --help lists all commands)")
    .addHelpText("after", FOOTER);
  for (const add of [
    addRooms,
    addMessages,
    addMembers,
    addAdmin,
    addToken,
    addTrace,
    addBackup,
    addErase,
    addEpoch,
    addBench,
    addDoctor,
  ]) {
    add(program, shell);
  }
  for (const [path, command] of commandsOf(program)) {
    command.showSuggestionAfterError().showHelpAfterError("(--help says more)");
    const examples = EXAMPLES[path] ?? [];
    if (examples.length > 0)
      command.addHelpText("after", `\nExamples:\n${examples.map((line) => `  ${line}\n`).join("")}`);
  }
  return program;
}

/** Every command that does something, by its words, such as `rooms list`. */
export function commandsOf(program: Command, before = ""): [string, Command][] {
  return program.commands.flatMap((command): [string, Command][] => {
    const path = `${before}${command.name()}`;
    return command.commands.length === 0 ? [[path, command]] : commandsOf(command, `${path} `);
  });
}
