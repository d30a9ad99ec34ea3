import { ConnectError } from "@connectrpc/connect";
import { type Command, Option } from "commander";
import { type Config, parseConfig, ROLES, type Role } from "../services/config.ts";
import { type Check, checkClock, checkEdges, checkNats, checkOps, checkPort, checkRpc } from "./doctor-checks.ts";
import { CliError, describeFailure } from "./exit-codes.ts";
import { action, type Session, type Shell } from "./session.ts";
import { printable } from "./text.ts";
import { httpUrl } from "./values.ts";

interface DoctorOptions {
  readonly ops: string;
  readonly edge: string;
  readonly role: Role;
}

const MARKS = { ok: ["green", "ok  "], warning: ["yellow", "warn"], failure: ["red", "FAIL"] } as const;

/** doctor. */
export function addDoctor(program: Command, shell: Shell): void {
  program
    .command("doctor")
    .description("look for what is wrong and say what to do: configuration, ports, readiness, clocks, edges, NATS")
    .addOption(
      new Option("--ops <url>", "operations' port of a process").argParser(httpUrl).default("http://127.0.0.1:9090"),
    )
    .addOption(new Option("--edge <url>", "where clients connect").argParser(edgeUrl).default("http://127.0.0.1:3000"))
    .addOption(new Option("--role <role>", "whose configuration the environment is").choices([...ROLES]).default("all"))
    .addHelpText(
      "after",
      "\nThe configuration checked is that of the environment doctor runs in. NATS is looked at when NATS_URL is set.",
    )
    .action(action(shell, doctor));
}

/** Of a page or of a WebSocket, since both are the address of an edge. */
function edgeUrl(text: string): string {
  return httpUrl(text.replace(/^ws/, "http").replace(/\/ws\/?$/, ""));
}

async function doctor(session: Session, _: readonly string[], options: DoctorOptions): Promise<void> {
  const parsed = parseConfig(session.shell.env, options.role);
  const checks: Check[] = parsed.ok
    ? [{ name: "configuration", state: "ok", found: `the environment is right for role ${options.role}`, advice: "" }]
    : parsed.mistakes.map((found) => ({
        name: "configuration",
        state: "failure",
        found,
        advice: "docs/configuration.md has every variable",
      }));
  const config = parsed.ok ? parsed.config : undefined;
  for (const look of looks(session, options, config)) {
    for (const check of await look()) checks.push(check);
  }
  const failures = checks.filter(({ state }) => state === "failure").length;
  if (session.json) session.print("", { ok: failures === 0, checks });
  else for (const check of checks) session.print(describe(session, check), null);
  if (failures > 0) throw new CliError(failures === 1 ? "one thing is wrong" : `${failures} things are wrong`);
}

/** Every look, in the order in which to read them; what fails in an unknown way is a finding, too. */
function looks(session: Session, { ops, edge }: DoctorOptions, config: Config | undefined): (() => Promise<Check[]>)[] {
  const named: [string, () => Promise<Check[]>][] = [
    ["RPC", () => checkRpc(session)],
    ["readiness", () => checkOps(session, ops)],
    ["edge port", () => checkPort(session, edge)],
    ["clock", () => checkClock(session, ops)],
    ["edges", () => checkEdges(session)],
    ["NATS", async () => (config?.natsUrl === undefined ? [] : await checkNats(session, config, config.natsUrl))],
  ];
  return named.map(([name, look]) => async () => {
    try {
      return await look();
    } catch (error) {
      const { message, hint } = describeFailure(error instanceof ConnectError ? error : new CliError(String(error)));
      return [{ name, state: "failure", found: message, advice: hint }];
    }
  });
}

function describe(session: Session, { name, state, found, advice }: Check): string {
  const [colour, mark] = MARKS[state];
  const line = `${session.style(colour, mark)} ${name}: ${printable(found)}`;
  return advice === "" ? line : `${line}\n     ${printable(advice)}`;
}
