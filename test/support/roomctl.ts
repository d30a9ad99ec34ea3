import { join } from "node:path";
import { expect } from "vitest";
import { type ProcessOptions, ROOT } from "./process.ts";
import { type Ran, run } from "./run.ts";

/** How roomctl is called. */
export const ROOMCTL = [
  process.execPath,
  "--disable-warning=ExperimentalWarning",
  join(ROOT, "bin/roomctl.js"),
] as const;

/** What differs from run to run. */
export interface RoomctlOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly url?: string;
  readonly token?: string;
}

/** Runs roomctl; `server` says where it goes, and with which token, when a run's options do not. */
export function roomctl(server: () => { readonly url: string; readonly token: string }) {
  /** How a run is started: in an environment where colours would be seen if a pipe got any. */
  const invocation = (args: readonly string[], options: RoomctlOptions = {}): ProcessOptions => {
    const { env = {}, url, token } = { ...server(), ...options };
    return {
      command: ROOMCTL,
      args,
      env: { ROOMCTL_URL: url, ROOMCTL_TOKEN: token, TERM: "xterm-256color", ...env },
    };
  };
  /** Runs it to its end, whatever that is. */
  const ctl = (args: readonly string[], options: RoomctlOptions = {}): Promise<Ran> => run(invocation(args, options));
  /** What it prints for people. */
  const says = async (args: readonly string[], options: RoomctlOptions = {}): Promise<string> => {
    const { code, stdout, stderr } = await ctl(args, options);
    if (code !== 0) throw new Error(`roomctl ${args.join(" ")} ended with ${code}: ${stderr}`);
    return stdout;
  };
  /** What it prints for programs: one line of JSON and nothing else. */
  const json = async <T>(args: readonly string[], options: RoomctlOptions = {}): Promise<T> => {
    const text = await says(["--json", ...args], options);
    expect(text.trim().split("\n")).toHaveLength(1);
    return JSON.parse(text) as T;
  };
  return { invocation, ctl, says, json };
}
