/** Why a broker could not be opened. Every problem is one that only an operator can solve, so nothing retries. */
export type OpenProblem = "in_use" | "unusable_directory" | "damaged" | "newer_schema" | "failed";

/** Opening a broker failed. The message is one line that says what is wrong and what to do. */
export class BrokerOpenError extends Error {
  readonly problem: OpenProblem;

  constructor(problem: OpenProblem, message: string, options: { cause?: unknown } = {}) {
    super(message.replace(/\s+/g, " "), options);
    this.name = "BrokerOpenError";
    this.problem = problem;
  }
}
