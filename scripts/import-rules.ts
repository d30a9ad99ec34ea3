import { posix } from "node:path";

/**
 * What may import what. Files are matched by the beginning of their path, the longest wins; whatever is not named here
 * may import everything. Architecture that is not checked is only a wish.
 */
const LAYERS: Readonly<Record<string, Layer>> = {
  "gen/": { from: ["gen/"] },
  "services/": { from: ["services/", "gen/", "broker/subjects.ts"], typesFrom: ["broker/broker.ts"] },
  "services/room/": { from: ["services/", "gen/", "broker/broker.ts", "broker/subjects.ts"] },
  "broker/": { from: ["broker/", "services/", "gen/"] },
  "edge/": { from: ["edge/", "services/", "gen/", "broker/broker.ts", "broker/subjects.ts"] },
  "client/": { from: ["client/"], typesFrom: ["gen/"] },
  "web/": { from: ["web/", "client/"], typesFrom: ["gen/"] },
  "web/src/admin/": { from: ["web/", "gen/"] },
  "cli/": { from: ["cli/", "client/", "services/", "gen/", "broker/epoch.ts", "broker/backup.ts"] },
  "examples/": { from: ["examples/", "client/", "gen/"] },
};

interface Layer {
  /** Beginnings of paths that may be imported. */
  readonly from: readonly string[];
  /** Those that may be imported with `import type` only. */
  readonly typesFrom?: readonly string[];
}

/** Part of services/ that is the control plane: nobody reaches it but itself and main, others call it by RPC. */
const CONTROL_PLANE = "services/room/";
const MAY_REACH_CONTROL_PLANE: readonly RegExp[] = [/^services\/room\//, ...anywhere()];

/** Packages that only some files know; of some, everybody may name the types. */
const PACKAGES: readonly { readonly name: RegExp; readonly only: readonly RegExp[]; readonly typesFree?: true }[] = [
  { name: /^@nats-io\//, only: [/^broker\/nats[\w-]*\.ts$/, /^broker\/nats\//] },
  { name: /^node:sqlite$/, only: [/^broker\/embedded[\w-]*\.ts$/, /^broker\/embedded\//] },
  { name: /^ws$/, only: [/^edge\/(server|connection|client-socket|intake)\.ts$/], typesFree: true },
  {
    name: /^@connectrpc\/connect-node$/,
    only: [/^services\/room\/rpc\//, /^edge\/room-link[\w-]*\.ts$/, /^(cli|examples)\//],
  },
  { name: /^@connectrpc\/connect-web$|^uplot$/, only: [/^web\/src\/admin\//] },
  { name: /^pino(-pretty)?$/, only: [/^services\/log\.ts$/], typesFree: true },
  // Loaded when tracing is on, by services/tracing-open.ts: everybody else knows services/tracing.ts.
  { name: /^@opentelemetry\//, only: [/^services\/tracing-otlp\.ts$/] },
  { name: /^prom-client$/, only: [/^services\/metrics\.ts$/], typesFree: true },
  { name: /^(node:)?process$/, only: [] },
];

/** Files outside the product's own layers: the entry, and what builds, tests and measures it. */
function anywhere(): readonly RegExp[] {
  return [/^main\.ts$/, /^[\w-]+\.config\.ts$/, /^(bin|scripts|test|bench)\//];
}

/** Directories whose code runs in production, so that it may import `dependencies` only. */
const RUNTIME = /^(main\.ts$|(gen|services|broker|edge|cli)\/)/;

/** Where `process` may be touched: everything else is given what it needs. */
const MAY_TOUCH_PROCESS: readonly RegExp[] = [...anywhere(), /^(cli|examples)\//];

const LONGEST_FILE = 400;

/** Finds what breaks the rules: one line each, beginning with the file. */
export function findViolations(files: ReadonlyMap<string, string>, dependencies: ReadonlySet<string>): string[] {
  const sources = [...files].filter(([path]) => !path.endsWith(".d.ts"));
  return sources.flatMap(([path, text]) => [
    ...parseImports(text).flatMap((imported) => violations(path, imported, dependencies)),
    ...tooLong(path, text),
    ...touchesProcess(path, text),
  ]);
}

/** One import or re-export. */
export interface Import {
  readonly specifier: string;
  /** True for `import type` and `export type`, which leave nothing at run time. */
  readonly typeOnly: boolean;
}

const STATEMENT = /^[ \t]*(?:import|export)\s+(type\s+)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"/gm;
const DYNAMIC = /\bimport\(\s*"([^"]+)"/g;

/** Reads the imports of a module. Formatted code is assumed: Biome sees to that. */
export function parseImports(text: string): Import[] {
  return [
    ...[...text.matchAll(STATEMENT)].map(([, type, specifier = ""]) => ({ specifier, typeOnly: type !== undefined })),
    ...[...text.matchAll(DYNAMIC)].map(([, specifier = ""]) => ({ specifier, typeOnly: false })),
  ];
}

function violations(path: string, imported: Import, dependencies: ReadonlySet<string>): string[] {
  const { specifier } = imported;
  return specifier.startsWith(".")
    ? localViolations(path, imported, posix.join(posix.dirname(path), specifier))
    : packageViolations(path, imported, dependencies);
}

function localViolations(path: string, { typeOnly }: Import, target: string): string[] {
  if (target.startsWith(CONTROL_PLANE) && !matches(path, MAY_REACH_CONTROL_PLANE)) {
    return [`${path}: must not import ${target}; the control plane is reached by RPC only`];
  }
  const prefix = Object.keys(LAYERS)
    .filter((candidate) => path.startsWith(candidate))
    .sort((a, b) => b.length - a.length)[0];
  const layer = prefix === undefined ? undefined : LAYERS[prefix];
  if (layer === undefined || layer.from.some((allowed) => target.startsWith(allowed))) return [];
  const typesAllowed = layer.typesFrom?.some((allowed) => target.startsWith(allowed)) === true;
  if (typesAllowed && typeOnly) return [];
  const instead = typesAllowed
    ? "only with import type"
    : `${prefix} may import ${[...layer.from, ...(layer.typesFrom ?? [])].join(", ")}`;
  return [`${path}: must not import ${target}; ${instead}`];
}

function packageViolations(path: string, { specifier, typeOnly }: Import, dependencies: ReadonlySet<string>): string[] {
  const row = PACKAGES.find(({ name }) => name.test(specifier));
  if (row && !(typeOnly && row.typesFree) && !matches(path, [...row.only, ...anywhere()])) {
    return [`${path}: must not import ${specifier}; only ${row.only.map(String).join(", ") || "main.ts"} may`];
  }
  const name = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
  if (RUNTIME.test(path) && !specifier.startsWith("node:") && !dependencies.has(name)) {
    return [`${path}: imports ${name}, which is not among the dependencies of package.json`];
  }
  return [];
}

function tooLong(path: string, text: string): string[] {
  const lines = text.split("\n").length - 1;
  if (path.startsWith("gen/") || lines <= LONGEST_FILE) return [];
  return [`${path}: has ${lines} lines, more than ${LONGEST_FILE}; split it by concern`];
}

function touchesProcess(path: string, text: string): string[] {
  if (path.startsWith("gen/") || matches(path, MAY_TOUCH_PROCESS)) return [];
  return text.split("\n").flatMap((line, index) => {
    const code = line.replace(/^\s*(\*|\/\/|\/\*).*/, "").replace(/\s\/\/.*/, "");
    return /(?<![\w.#"'`])process\./.test(code) ? [`${path}:${index + 1}: only main.ts touches process`] : [];
  });
}

function matches(path: string, patterns: readonly RegExp[]): boolean {
  return patterns.some((pattern) => pattern.test(path));
}
