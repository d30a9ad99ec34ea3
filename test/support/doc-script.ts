/**
 * The scripts in docs/protocol.md: code blocks marked `frames`, one step a line.
 * `A+ path` connects, `A> frame` sends, `A< frame` receives, `A! code` is closed, `A-` leaves,
 * `+n path` connects n more, `RPC Service/Method request` calls, `RPC*n …` n times,
 * `TOKEN name claims` makes a token, `CUT` cuts the edge off from its broker, `HEAL` ends that.
 */
export type Step =
  | { readonly kind: "connect"; readonly client: string; readonly path: string }
  | { readonly kind: "send" | "receive"; readonly client: string; readonly frame: string }
  | { readonly kind: "closed"; readonly client: string; readonly code: number }
  | { readonly kind: "leave"; readonly client: string }
  | { readonly kind: "crowd"; readonly size: number; readonly path: string }
  | { readonly kind: "rpc"; readonly method: string; readonly request: string; readonly times: number }
  | { readonly kind: "token"; readonly name: string; readonly claims: string }
  | { readonly kind: "cut" | "heal" };

/** What a script is replayed on: a server for guests, one that wants tokens, or a cluster that can be broken. */
export type Place = "guests" | "tokens" | "cluster";

/** One block, and the line of the document it begins on. */
export interface Script {
  readonly line: number;
  readonly place: Place;
  readonly steps: readonly Step[];
}

const PLACES: ReadonlyMap<string, Place> = new Map([
  ["```frames", "guests"],
  ["```frames tokens", "tokens"],
  ["```frames cluster", "cluster"],
]);

/** Finds every script of a Markdown document. @throws Error for a line that is no step, or a script for an unknown place. */
export function scripts(markdown: string): Script[] {
  const found: Script[] = [];
  let steps: Step[] | undefined;
  markdown.split("\n").forEach((text, index) => {
    if (text.startsWith("```frames")) {
      const place = PLACES.get(text);
      if (place === undefined) throw new Error(`line ${index + 1} names no place: ${text}`);
      steps = [];
      found.push({ line: index + 1, place, steps });
    } else if (text === "```") steps = undefined;
    else steps?.push(step(text, index + 1));
  });
  return found;
}

function step(text: string, line: number): Step {
  if (text === "CUT" || text === "HEAL") return { kind: text === "CUT" ? "cut" : "heal" };
  const token = /^TOKEN (\w+) (.*)$/.exec(text);
  if (token) return { kind: "token", name: token[1] ?? "", claims: token[2] ?? "" };
  const rpc = /^RPC(?:\*(\d+))? (\S+) (.*)$/.exec(text);
  if (rpc) return { kind: "rpc", method: rpc[2] ?? "", request: rpc[3] ?? "", times: Number(rpc[1] ?? 1) };
  const [, size, crowdPath] = /^\+(\d+) (\S+)$/.exec(text) ?? [];
  if (crowdPath !== undefined) return { kind: "crowd", size: Number(size), path: crowdPath };
  const leave = /^([A-Z])-$/.exec(text);
  if (leave) return { kind: "leave", client: leave[1] ?? "" };
  const [, client, sign, rest] = /^([A-Z])([+><!]) (.*)$/.exec(text) ?? [];
  if (client === undefined || rest === undefined) throw new Error(`line ${line} is no step: ${text}`);
  if (sign === "+") return { kind: "connect", client, path: rest };
  if (sign === "!") return { kind: "closed", client, code: Number(rest) };
  return { kind: sign === ">" ? "send" : "receive", client, frame: rest };
}

/** Types of the frames that scripts show whole, both ways: one that is only named, with no payload, is no example. */
export function exampleTypes(found: readonly Script[]): { readonly sent: Set<string>; readonly received: Set<string> } {
  const types = { sent: new Set<string>(), received: new Set<string>() };
  for (const one of found.flatMap(({ steps }) => steps)) {
    if (one.kind !== "send" && one.kind !== "receive") continue;
    const type = /^\{"type":"([^"]+)"/.exec(one.frame)?.[1] ?? "";
    if (one.kind === "send") types.sent.add(type);
    else if (one.frame.includes('"payload":')) types.received.add(type);
  }
  return types;
}

/** Fields whose values differ from run to run; everything else must be as the document says. */
const VARYING = new Set([
  "client_id",
  "uid",
  "by_uid",
  "to_uid",
  "by",
  "edge_id",
  "session",
  "epoch",
  "seq",
  "prev_seq",
  "deleted_seq",
  "message_id",
  "sent",
  "time",
  "delay_ms",
  "join_time",
  "token_expires_at",
  "until",
  "muted_until",
]);

/** How `actual` differs from what the document shows, or undefined: same fields, same types, same values unless they vary. */
export function difference(documented: unknown, actual: unknown, path = ""): string | undefined {
  if (kind(documented) !== kind(actual)) return `${path} is ${kind(actual)}, documented as ${kind(documented)}`;
  if (Array.isArray(documented)) return listDifference(documented, actual as unknown[], path);
  if (kind(documented) !== "object") {
    const name = path.slice(path.lastIndexOf(".") + 1);
    const guest = name === "username" && String(documented).startsWith("guest-");
    if (VARYING.has(name) || guest || name === "message" || documented === actual) return undefined;
    return `${path} is ${JSON.stringify(actual)}, documented as ${JSON.stringify(documented)}`;
  }
  const expected = documented as Record<string, unknown>;
  const found = actual as Record<string, unknown>;
  for (const key of new Set([...Object.keys(expected), ...Object.keys(found)])) {
    if (!(key in found)) return `${path}.${key} is missing`;
    if (!(key in expected)) return `${path}.${key} is not documented`;
    const inner = difference(expected[key], found[key], `${path}.${key}`);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function listDifference(documented: unknown[], actual: unknown[], path: string): string | undefined {
  if (documented.length === 0) return actual.length === 0 ? undefined : `${path} is not empty`;
  if (actual.length === 0) return `${path} is empty`;
  // One item shows the shape; how many there are, and in what order, is no part of the document.
  const differences = actual.map((item, index) => difference(documented[0], item, `${path}[${index}]`));
  return differences.includes(undefined) ? undefined : differences[0];
}

function kind(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}
