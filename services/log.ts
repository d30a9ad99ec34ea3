import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from "pino";
import { prettyFactory } from "pino-pretty";

export type { Logger } from "pino";

/** Keys whose values never reach the log, at any of the first levels of an object. */
const SECRET_KEYS = ["token", "tokens", "secret", "session", "password", "authorization", "cookie", "jwtSecret"];

/**
 * Makes the logger of a process: JSON lines for machines, coloured lines for people. Secrets are removed by key, and
 * control characters are escaped in both forms, so that what a client sends cannot forge a line or command a terminal.
 */
export function createLog(options: {
  /** Least severe level that is written. */
  readonly level: string;
  /** True for people. Default: JSON lines. */
  readonly pretty?: boolean;
  /** Fields of every line, such as the role. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Where lines go. Default: standard output, synchronously, so that the last line before an exit is not lost. */
  readonly output?: DestinationStream;
}): Logger {
  const output = options.output ?? destination({ fd: 1, sync: true });
  return pino(
    {
      level: options.level,
      base: { ...options.fields },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: "[removed]" },
    },
    options.pretty === true ? forPeople(output) : forMachines(output),
  );
}

/** Turns the level to `debug`, or back to what is configured: for a look at a process that runs. */
export function toggleDebug(log: Logger, configured: string): void {
  log.level = log.level === "debug" ? configured : "debug";
  // Whoever asked for it waits for this line, so no level hides it.
  log.child({}, { level: "info" }).info({ now: log.level }, "log level changed");
}

/** JSON escapes C0; what is left are DEL, C1 (terminals read them as commands) and the line separators of Unicode. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
const CONTROL = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/g;

function forMachines(output: DestinationStream): DestinationStream {
  return {
    write: (line) => output.write(`${escapeControls(line.trimEnd())}\n`),
  };
}

function forPeople(output: DestinationStream): DestinationStream {
  const prettify = prettyFactory({ colorize: true, translateTime: "SYS:HH:MM:ss.l", ignore: "role" });
  return {
    write: (line) => output.write(prettify(escapeWithin(JSON.parse(line)) as object)),
  };
}

function escapeControls(text: string): string {
  return text.replace(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Escapes every text in a log record; stacks keep their line ends, which are indented when shown. */
function escapeWithin(value: unknown, key = ""): unknown {
  if (typeof value === "string") {
    return key === "stack" ? value.split("\n").map(escapeControls).join("\n") : escapeControls(value);
  }
  if (Array.isArray(value)) return value.map((item) => escapeWithin(item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [escapeControls(name), escapeWithin(inner, name)]),
  );
}
