import { describe, expect, it } from "vitest";
import { CASES } from "../../bench/cases.ts";
import { ProductProcess } from "../support/process.ts";

const CASE_MS = 60_000;
/** Each starts servers of its own: too much for every run of the tests. */
const cases = process.env.TEST_FULL === "1" ? Object.keys(CASES) : [];

describe("the benchmarks", () => {
  for (const name of cases) {
    it(
      `can measure ${name}`,
      async () => {
        const { code, stdout, stderr } = await bench(name, "--quick");
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        expect(stdout).toContain(`## ${name}`);
        expect(stdout).not.toMatch(/NaN|Infinity/);
      },
      CASE_MS,
    );
  }

  it("say what they can measure", async () => {
    const { code, stderr } = await bench("everything");
    expect(code).toBe(1);
    expect(stderr).toContain(`there is no case everything; there are ${Object.keys(CASES).join(", ")}`);
  });
});

async function bench(...args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const command = [process.execPath, "--disable-warning=ExperimentalWarning", "bench/run.ts"] as const;
  const program = new ProductProcess({ command, args });
  const { code } = await program.exit(CASE_MS);
  return { code, stdout: program.stdout, stderr: program.stderr };
}
