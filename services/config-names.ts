import type { Mistake } from "./config-rule.ts";
import { BY_NAME } from "./config-table.ts";
import { editDistance } from "./edit-distance.ts";

/** A name at most this far from a known one was meant to be that one. */
const TYPO_DISTANCE = 2;

/** Names of other programs that happen to be that near to one of ours. */
const FAMILIAR: ReadonlySet<string> = new Set([
  "API_HOST",
  "API_PORT",
  "APP_HOST",
  "APP_PORT",
  "GRPC_HOST",
  "WS_HOST",
  "WS_PORT",
  "WS_URL",
]);

const PREFIX = "BACCARAT_";

/**
 * Finds names that somebody meant for this program but that it does not know: a setting that silently has no effect is
 * worse than a process that does not start. Everything else in the environment is other people's.
 */
export function findStrangeNames(env: Readonly<Record<string, string | undefined>>): Mistake[] {
  return Object.entries(env).flatMap(([name, value]) => {
    const text = value === undefined || BY_NAME.has(name) ? undefined : strangeness(name, value);
    return text === undefined ? [] : [{ name, text }];
  });
}

function strangeness(name: string, value: string): string | undefined {
  if (name.startsWith(PREFIX)) {
    const meant = nearest(name.slice(PREFIX.length));
    const hint = meant === undefined ? "--help lists those that exist" : `did you mean ${meant}?`;
    return `no variable begins with ${PREFIX}; ${isServiceLink(name) ? `${hint} ${SERVICE_LINK_HINT}` : hint}`;
  }
  // Kubernetes gives every pod API_PORT=tcp://10.0.0.1:80 for a service called api.
  if (FAMILIAR.has(name) || /^(tcp|udp|sctp):\/\//.test(value)) return undefined;
  const meant = nearest(name);
  return meant === undefined ? undefined : `is not known; did you mean ${meant}?`;
}

/** What is wrong with a name that somebody wrote into a file of nothing but settings. */
export function unknownName(name: string): string {
  const meant = nearest(name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name);
  return `is not known; ${meant === undefined ? "--help lists those that exist" : `did you mean ${meant}?`}`;
}

const SERVICE_LINK_HINT = "If Kubernetes sets it for a service of that name, set enableServiceLinks: false in the pod";

const isServiceLink = (name: string): boolean => /_SERVICE_(HOST|PORT)|_PORT(_\d+_(TCP|UDP|SCTP))?/.test(name);

function nearest(name: string): string | undefined {
  let best: { known: string; distance: number } | undefined;
  for (const known of BY_NAME.keys()) {
    if (Math.abs(known.length - name.length) > TYPO_DISTANCE) continue;
    const distance = editDistance(name, known);
    if (distance <= TYPO_DISTANCE && distance < (best?.distance ?? Number.POSITIVE_INFINITY))
      best = { known, distance };
  }
  return best?.known;
}
