import { parseArgs } from "node:util";
import { ROLES, type Role } from "./config.ts";

/** What the process was started for. */
export interface Arguments {
  readonly action: "run" | "help" | "check-config" | "print-config";
  readonly role: Role;
  /** Path of a file of settings; undefined: the environment names one, or there is none. */
  readonly config: string | undefined;
  /** True: a baccarat table is dealt in a room, so that there is something to see. Role `all` only. */
  readonly demo: boolean;
}

/** Exit code of a process whose arguments are wrong: EX_USAGE of sysexits.h. */
export const EXIT_USAGE = 64;

const OPTIONS = {
  role: { type: "string", default: "all" },
  help: { type: "boolean", default: false, short: "h" },
  "check-config": { type: "boolean", default: false },
  "print-config": { type: "boolean", default: false },
  demo: { type: "boolean", default: false },
  config: { type: "string" },
} as const;

/** Reads the words after the program's name; a text is what is wrong with them. Never throws. */
export function parseArguments(words: readonly string[]): Arguments | string {
  try {
    const { values } = parseArgs({ args: [...words], options: OPTIONS });
    const role = ROLES.find((known) => known === values.role);
    if (role === undefined) return `--role=${JSON.stringify(values.role)}: a role is ${ROLES.join(", ")}`;
    if (values.demo && role !== "all") return `--demo: only role all shows one, not ${role}`;
    if (values.config === "") return "--config: the path of a file is missing";
    const actions = ["help", "check-config", "print-config"] as const;
    return {
      role,
      demo: values.demo,
      config: values.config,
      action: actions.find((action) => values[action]) ?? "run",
    };
  } catch (error) {
    // parseArgs throws TypeErrors whose first sentence says what is wrong; the rest explains `--`.
    return `${JSON.stringify((error as Error).message.split(". ", 1)[0])}: --help lists what there is`;
  }
}
