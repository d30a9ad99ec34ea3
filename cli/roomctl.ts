import { describeFailure, EXIT } from "./exit-codes.ts";
import { createProgram } from "./program.ts";
import type { Shell } from "./session.ts";
import { printable } from "./text.ts";

/** roomctl: takes what it needs from `process`, runs one command, and turns how it ended into an exit code. */
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());

// `roomctl tail | head -1` is no failure: whoever reads has had enough.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? EXIT.ok : EXIT.failure);
});

const { stdout, stderr, stdin, env } = process;
const shell: Shell = { stdout, stderr, stdin, env, signal: stop.signal };

try {
  await createProgram(shell).parseAsync(process.argv);
} catch (error) {
  const { exitCode, code, message, hint } = describeFailure(error);
  process.exitCode = exitCode;
  if (stop.signal.aborted) process.exitCode = EXIT.failure;
  else if (message !== "" && process.argv.includes("--json")) {
    stderr.write(`${JSON.stringify({ error: { code, message, hint } })}\n`);
  } else if (message !== "") {
    stderr.write(`roomctl: ${printable(message)}${code === "" ? "" : ` (${code})`}\n`);
    if (hint !== "") stderr.write(`  ${hint}\n`);
  }
}

// Idle HTTP/2 connections and WebSockets that are closing would keep the process for seconds; what was printed must be out.
await Promise.all([stdout, stderr].map((stream) => new Promise((written) => stream.write("", written))));
process.exit();
