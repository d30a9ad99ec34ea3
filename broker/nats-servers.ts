import type { Logger } from "../services/log.ts";
import { judgeNatsVersion, type VersionFinding } from "../services/nats-version.ts";
import type { NatsLink } from "./nats-link.ts";

/** What there is to say of the servers that links are connected to now, whichever those are. */
export class ConnectedServers {
  readonly #links: ReadonlySet<Pick<NatsLink, "version" | "clustered" | "onChange">>;
  readonly #minClusterVersion: string;
  readonly #log: Logger;
  readonly #stops: readonly (() => void)[];
  #told = "";

  /** @param options.minClusterVersion the oldest version that may be in a cluster, such as `2.12.0`. */
  constructor(options: {
    readonly links: readonly Pick<NatsLink, "version" | "clustered" | "onChange">[];
    readonly minClusterVersion: string;
    readonly log: Logger;
  }) {
    this.#links = new Set(options.links);
    this.#minClusterVersion = options.minClusterVersion;
    this.#log = options.log;
    this.#stops = [...this.#links].map((link) => link.onChange((connected) => connected && this.#tell()));
    this.#tell();
  }

  /** Why nobody should be sent here; undefined when there is no reason. */
  get unfit(): string | undefined {
    return this.#find("failure");
  }

  /** What an operator should know; undefined when there is nothing. */
  get warning(): string | undefined {
    return this.#find("warning");
  }

  /** Tells no more of changes. */
  stop(): void {
    for (const stop of this.#stops) stop();
  }

  #find(state: VersionFinding["state"]): string | undefined {
    const findings = [...this.#links].map((link) => judgeNatsVersion(link, this.#minClusterVersion));
    return findings.find((finding) => finding?.state === state)?.text;
  }

  /** Once for each state of things, since links come and go while servers stay the same. */
  #tell(): void {
    const { unfit, warning = "" } = this;
    const found = unfit ?? warning;
    if (found !== this.#told && found !== "") this.#log.warn(found);
    this.#told = found;
  }
}
