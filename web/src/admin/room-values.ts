import { OverloadPolicy } from "../../../gen/baccarat/v1/room_pb.ts";

const POLICIES = Object.values(OverloadPolicy);

/** What the dialog's fields say. */
export function readSettings(values: Readonly<Record<string, string>>) {
  return {
    title: values.title ?? "",
    capacity: Number(values.capacity || 0),
    slowModeMs: Number(values.slowModeMs || 0),
    overloadPolicy: POLICIES.find((policy) => String(policy) === values.overloadPolicy) ?? OverloadPolicy.UNSPECIFIED,
    conflationIntervalMs: Number(values.conflationIntervalMs || 0),
    private: values.private === "on",
    frozen: values.frozen === "on",
    metadata: readPairs(values.metadata ?? ""),
  };
}

/** Reads `key=value` lines; a line without `=` is a key without a value. */
export function readPairs(text: string): Record<string, string> {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf("=");
      return at < 0 ? [line.trim(), ""] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    }),
  );
}

/** The lines that readPairs reads. */
export function writePairs(pairs: Readonly<Record<string, string>>): string {
  return Object.entries(pairs)
    .map(([key, value]) => `${key}=${value}`)
    .join("\n");
}
