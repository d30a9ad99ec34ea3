import { randomUUID } from "node:crypto";
import {
  type DestinationStream,
  destination,
  type Level,
  type Logger,
  type LoggerOptions,
  levels,
  pino,
  stdTimeFunctions,
} from "pino";
import { prettyFactory } from "pino-pretty";
import { LogSampler } from "./log-sampler.ts";

export type { Logger } from "pino";

/** From here on lines are of errors. */
const ERROR_LEVEL = levels.values.error ?? Number.POSITIVE_INFINITY;
/** Keys whose values never reach the log, at any of the first levels of an object. */
const SECRET_KEYS = ["token", "tokens", "secret", "session", "password", "authorization", "cookie", "jwtSecret"];

/**
 * Makes the logger of a process: JSON lines for machines, coloured lines for people. Secrets are removed by key, and
 * control characters are escaped in both forms, so that what a client sends cannot forge a line or command a terminal.
 * Of many lines of one text the first of each second are written, and one says how many more there were (LogSampler).
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
  const stream = options.pretty === true ? forPeople(output) : forMachines(output);
  const settings: LoggerOptions = {
    level: options.level,
    base: { ...options.fields },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    mixin: (fields, level) => (level >= ERROR_LEVEL && !("correlationId" in fields) ? named() : {}),
    redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: "[removed]" },
  };
  // What is said of lines that were left out is left out by no level and no sampling.
  const summaries = pino({ ...settings, level: "trace" }, stream);
  const sampler = new LogSampler({
    onSuppressed: ({ level, message, count }) => summaries[level as Level]({ suppressed: count }, message),
  });
  const logMethod: NonNullable<LoggerOptions["hooks"]>["logMethod"] = function (args, method, level) {
    const message = args.find((argument) => typeof argument === "string") ?? "";
    if (sampler.admits(levels.labels[level] ?? "", message)) method.apply(this, args);
  };
  return pino({ ...settings, hooks: { logMethod } }, stream);
}

/** What an error is called that no caller was told of: every one can be asked about by a name of its own. */
function named(): { correlationId: string } {
  return { correlationId: randomUUID() };
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
