import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { createConnectTransport } from "@connectrpc/connect-node";
import { PACE, runDealer } from "./dealer.ts";

const HELP = `Usage: node examples/dealer/main.ts [options]

Deals baccarat into a room, over the RPC API. There is no money in it.

  --url <url>         RPC API (default http://127.0.0.1:8080)
  --room <id>         room (default table-1)
  --betting-ms <n>    how long guesses are taken (default ${PACE.bettingMs})
  --card-ms <n>       from one card to the next (default ${PACE.cardMs})
  --result-ms <n>     how long a result stands (default ${PACE.resultMs})
  --shoe-ms <n>       how long changing the shoe takes (default ${PACE.shoeMs})
  --help              this text

DEALER_TOKEN in the environment is the token of scopes publish and read, where the API has tokens; with admin, too, the
room is created when it does not exist.
`;

/** Longest time that can be set, in milliseconds. */
const LONGEST_MS = 3_600_000;

try {
  await main();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      url: { type: "string", default: "http://127.0.0.1:8080" },
      room: { type: "string", default: "table-1" },
      "betting-ms": { type: "string" },
      "card-ms": { type: "string" },
      "result-ms": { type: "string" },
      "shoe-ms": { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  const token = process.env.DEALER_TOKEN;
  await runDealer({
    transport: createConnectTransport({
      baseUrl: values.url,
      httpVersion: "2",
      defaultTimeoutMs: 10_000,
      interceptors: [
        (next) => (request) => {
          if (token) request.header.set("authorization", `Bearer ${token}`);
          return next(request);
        },
      ],
    }),
    room: values.room,
    random: (below) => randomInt(below),
    pace: {
      bettingMs: milliseconds("betting-ms", values["betting-ms"], PACE.bettingMs),
      cardMs: milliseconds("card-ms", values["card-ms"], PACE.cardMs),
      resultMs: milliseconds("result-ms", values["result-ms"], PACE.resultMs),
      shoeMs: milliseconds("shoe-ms", values["shoe-ms"], PACE.shoeMs),
    },
    signal: stop.signal,
    onTrouble: (error) => process.stderr.write(`${error.message}\n`),
  });
}

function milliseconds(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= LONGEST_MS)) throw new Error(`--${name} must be a whole number from 0 to ${LONGEST_MS}`);
  return value;
}
