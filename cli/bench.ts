import type { Command } from "commander";
import type { BenchResult } from "./bench-run.ts";
import { CliError, EXIT } from "./exit-codes.ts";
import { ProgressBar } from "./progress.ts";
import { action, type Session, type Shell } from "./session.ts";
import { table } from "./text.ts";
import { mintToken } from "./token.ts";
import { integer } from "./values.ts";

interface BenchOptions {
  readonly edge: string;
  readonly room?: string;
  readonly clients: number;
  readonly messages: number;
  readonly rate: number;
  readonly size: number;
  readonly window: number;
}

/** bench. */
export function addBench(program: Command, shell: Shell): void {
  program
    .command("bench")
    .description("publish to a room and count what its members receive: how fast, how late, whether complete")
    .option("--edge <url>", "WebSocket of an edge", "ws://127.0.0.1:3000/ws")
    .option("--room <room>", "room to use (default: a new one)")
    .option("--clients <n>", "members of the room", integer(1, 5_000), 20)
    .option("--messages <n>", "messages to publish", integer(1, 10_000_000), 2_000)
    .option("--rate <n>", "messages per second; 0 is as fast as they are stored", integer(0, 1_000_000), 0)
    .option("--size <n>", "characters of a message", integer(32, 4_000), 100)
    .option("--window <n>", "messages that may wait to be stored", integer(1, 1_000), 64)
    .addHelpText(
      "after",
      "\nThe clients are guests; where the server wants tokens, JWT_SECRET signs some. A token of scope publish is needed.",
    )
    .action(action(shell, bench));
}

async function bench(session: Session, _: readonly string[], options: BenchOptions): Promise<void> {
  if (!/^wss?:\/\//.test(options.edge))
    throw new CliError("--edge must be a URL like ws://127.0.0.1:3000/ws", EXIT.usage);
  const { JWT_SECRET: secret, JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = session.shell.env;
  // The client is needed by nothing else: other commands start without it.
  const { runBench } = await import("./bench-run.ts");
  const bar = new ProgressBar(session);
  const measured = runBench({
    ...options,
    session,
    room: options.room ?? `bench-${crypto.randomUUID().slice(0, 8)}`,
    tokenOf: secret ? (uid) => mintToken(secret, { uid, issuer, audience, lifetimeSeconds: 3_600 }) : undefined,
    onProgress: (what, done, of) => bar.show(what, done, of),
  });
  const result = await measured.finally(() => bar.clear());
  session.print(session.json ? "" : describe(result), result);
  if (result.lost + result.duplicated + result.failed > 0) throw new CliError("not everything arrived exactly once");
}

function describe(result: BenchResult): string {
  const latencies = table(
    [
      { what: "stored after", ...result.ack_ms },
      { what: "received after", ...result.delivery_ms },
    ],
    [
      { name: "milliseconds", value: (row) => row.what },
      { name: "p50", value: (row) => row.p50 },
      { name: "p95", value: (row) => row.p95 },
      { name: "p99", value: (row) => row.p99 },
      { name: "max", value: (row) => row.max },
    ],
  );
  const counts = table(
    [result],
    [
      { name: "clients", value: (row) => row.clients },
      { name: "messages", value: (row) => row.messages },
      { name: "seconds", value: (row) => row.seconds },
      { name: "stored/s", value: (row) => row.stored_per_second },
      { name: "received/s", value: (row) => row.received_per_second },
      { name: "failed", value: (row) => row.failed },
      { name: "lost", value: (row) => row.lost },
      { name: "duplicated", value: (row) => row.duplicated },
    ],
  );
  return `${counts}\n\n${latencies}`;
}
