import { InvalidArgumentError } from "commander";

/** Readers of what is typed. Each throws Commander's InvalidArgumentError, which becomes one line and exit code 2. */

/** A whole number within bounds. */
export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max))
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    return value;
  };
}

const UNITS_S: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** A length of time such as 45s, 30m, 12h or 7d, in seconds. */
export function seconds(text: string): number {
  const [, digits = "", unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const value = Number(digits) * (UNITS_S[unit] ?? 0);
  if (!(value > 0)) throw new InvalidArgumentError("It must be a number with a unit: 45s, 30m, 12h or 7d.");
  return value;
}

/** An http or https URL; a slash at its end is dropped. */
export function httpUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new InvalidArgumentError("It must be a URL like http://127.0.0.1:8080.");
  }
  return url.href.replace(/\/$/, "");
}

/** A place in the log, `<epoch>-<seq>`, which is also what message ids look like. */
export function position(text: string): { readonly epoch: string; readonly seq: bigint } {
  const [, epoch = "", seq = ""] = /^(.{1,64})-(\d{1,16})$/.exec(text) ?? [];
  if (epoch === "") throw new InvalidArgumentError("It must be <epoch>-<seq>, as message ids are.");
  return { epoch, seq: BigInt(seq) };
}

/** A word of several. */
export function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** `key=value` of several. */
export function pairs(text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const [, key = "", value = ""] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (key === "") throw new InvalidArgumentError("It must be key=value.");
  return { ...before, [key]: value };
}

/** `true` or `false`. */
export function truth(text: string): boolean {
  if (text !== "true" && text !== "false") throw new InvalidArgumentError("It must be true or false.");
  return text === "true";
}

/** Any JSON value. */
export function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(`It must be JSON: ${(error as Error).message}.`);
  }
}
