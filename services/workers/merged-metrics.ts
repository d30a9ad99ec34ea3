/** What one process exposes, and the worker it is; undefined for the supervisor, whose lines stay as they are. */
export interface Exposition {
  readonly worker: number | undefined;
  /** In the text format of Prometheus. */
  readonly text: string;
}

interface Family {
  /** HELP and TYPE, which may be said only once. */
  readonly head: string[];
  readonly samples: string[];
}

/**
 * One exposition of several processes. Each worker's numbers keep to themselves, under a label `worker`: a sum would fall
 * when a worker is started again, which to Prometheus is a counter that began anew and then counted everything twice.
 */
export function mergeMetrics(expositions: readonly Exposition[]): string {
  const families = new Map<string, Family>();
  for (const { worker, text } of expositions) {
    let family: Family | undefined;
    for (const line of text.split("\n")) {
      const name = /^# HELP (\S+)/.exec(line)?.[1];
      if (name !== undefined) {
        family = families.get(name) ?? { head: [], samples: [] };
        families.set(name, family);
      }
      if (family === undefined || line === "") continue;
      if (!line.startsWith("#")) family.samples.push(worker === undefined ? line : labelled(line, worker));
      else if (family.head.length < 2) family.head.push(line);
    }
  }
  return `${[...families.values()].map(({ head, samples }) => [...head, ...samples].join("\n")).join("\n\n")}\n`;
}

function labelled(sample: string, worker: number): string {
  return sample.replace(/^([A-Za-z_:][\w:]*)(?:\{(.*)\})? /, (_, name: string, labels: string | undefined) =>
    labels ? `${name}{worker="${worker}",${labels}} ` : `${name}{worker="${worker}"} `,
  );
}
