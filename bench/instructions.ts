import { spawn } from "node:child_process";
import { once } from "node:events";
import { countsInstructions } from "./machine.ts";

/** Counts a process's instructions for some seconds; undefined where that is not supported. */
export async function instructions(pid: number, seconds: number): Promise<number | undefined> {
  if (!countsInstructions) return undefined;
  const args = ["stat", "-x,", "-e", "instructions", "-p", `${pid}`, "--", "sleep", `${seconds}`];
  const perf = spawn("perf", args, { stdio: ["ignore", "ignore", "pipe"] });
  let text = "";
  perf.stderr.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(perf, "close");
  const counted = /^(\d+),/m.exec(text)?.[1];
  return counted === undefined ? undefined : Number(counted);
}
