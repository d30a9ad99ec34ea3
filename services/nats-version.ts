/** Debian's nats-server; older ones were never tried. */
export const OLDEST_NATS = "2.9.10";
/**
 * On 2.9.10 replicas came to differ for good when the stream's leader was frozen and thawed under load (measured;
 * 2.15.2 did not), and before 2.9.21 conditions on revisions fail. In between nothing was tried, so: a current line.
 */
export const RECOMMENDED_IN_CLUSTER = "2.12.0";

/** A server, as it tells of itself. */
export interface NatsServerVersion {
  /** Such as `2.9.10`. */
  readonly version: string;
  /** True when it is one of a cluster. */
  readonly clustered: boolean;
}

/** What is wrong with a server's version: nobody should be sent there, or an operator should know. */
export interface VersionFinding {
  readonly state: "failure" | "warning";
  readonly text: string;
}

/**
 * Judges a server by its version for what it is used for; undefined when there is nothing to say.
 * @param minClusterVersion the oldest that may be in a cluster (NATS_MIN_CLUSTER_VERSION).
 */
export function judgeNatsVersion(
  { version, clustered }: NatsServerVersion,
  minClusterVersion: string,
): VersionFinding | undefined {
  if (isOlder(version, OLDEST_NATS)) {
    return { state: "failure", text: `nats-server ${version} is too old: ${OLDEST_NATS} or newer is needed` };
  }
  if (!clustered) return undefined;
  if (isOlder(version, minClusterVersion)) {
    const text = `nats-server ${version} is too old for a cluster: NATS_MIN_CLUSTER_VERSION is ${minClusterVersion}`;
    return { state: "failure", text };
  }
  if (!isOlder(version, RECOMMENDED_IN_CLUSTER)) return undefined;
  const text = `nats-server ${version} has known faults in a cluster: ${RECOMMENDED_IN_CLUSTER} or newer is recommended`;
  return { state: "warning", text };
}

/** True when a version is below another; what follows the three numbers does not count. */
export function isOlder(version: string, than: string): boolean {
  const [a, b] = [version, than].map((text) => text.split(/[.-]/, 3).map(Number));
  for (let part = 0; part < 3; part += 1) {
    const difference = (a?.[part] ?? 0) - (b?.[part] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
