import { Writable } from "node:stream";
import { commandsOf, createProgram } from "./program.ts";

/** docs/cli.md: what --help says, all of it. */
export function cliDocs(): string {
  const program = createProgram(NOWHERE);
  const lines = [
    "# roomctl",
    "",
    "<!-- Written by `npm run generate` from cli/. -->",
    "",
    "`roomctl` does from a shell what services do over the [RPC API](rpc.md). In a checkout it is `npm run roomctl -- …`, or",
    "`node bin/roomctl.js …`; everything after `--` is roomctl's.",
    "",
    "The token of an RPC caller goes into `ROOMCTL_TOKEN`, where no other user of the machine sees it; without `RPC_TOKENS`",
    "on the server none is needed. It is never printed. What users wrote is printed with its control characters escaped.",
    "",
    "```text",
    helpOf(program),
    "```",
  ];
  for (const [path, command] of commandsOf(program)) {
    // What all commands share is said once.
    command.configureHelp({ showGlobalOptions: false });
    lines.push("", `## ${path}`, "", "```text", helpOf(command), "```");
  }
  return `${lines.join("\n")}\n`;
}

function helpOf(command: ReturnType<typeof createProgram>): string {
  const parts: string[] = [];
  command.configureOutput({ writeOut: (part) => parts.push(part) });
  command.outputHelp();
  return parts.join("").trim();
}

/** Help is only read here, nothing is run. */
const NOWHERE = {
  stdout: new Writable(),
  stderr: new Writable(),
  stdin: (async function* () {})(),
  env: {},
  signal: new AbortController().signal,
};
