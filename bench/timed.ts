const BYTES = 200;

/** A text of 200 bytes that tells when it was said, by performance.now() of this process. */
export function timed(at: number): string {
  return `at ${at.toFixed(3)} `.padEnd(BYTES, "x");
}

/** When a text of timed() was said; NaN when it is none. */
export function saidAt(text: string): number {
  return Number(/at (\d+\.\d+) x/.exec(text)?.[1]);
}
