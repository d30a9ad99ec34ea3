import type { ProductProcess } from "./process.ts";

/** How long a starved process stands still, and then how long it runs, in milliseconds. */
const STILL_MS = 700;
const RUNS_MS = 60;

/** Stops and continues a process in turn, as a machine does that has more to do than it can, until it is disposed of. */
export function starve(product: ProductProcess): Disposable {
  let timer: NodeJS.Timeout;
  const stop = (): void => {
    product.signal("SIGSTOP");
    timer = setTimeout(run, STILL_MS);
  };
  const run = (): void => {
    product.signal("SIGCONT");
    timer = setTimeout(stop, RUNS_MS);
  };
  stop();
  return {
    [Symbol.dispose]() {
      clearTimeout(timer);
      product.signal("SIGCONT");
    },
  };
}
