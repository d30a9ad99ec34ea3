import { readFile, writeFile } from "node:fs/promises";
import type { Machine } from "./machine.ts";

/** How a column's numbers are written. */
export type Format = "text" | "count" | "decimal" | "percent";

/** One row of a table, by column; what is not there was not measured. */
export type Row = Readonly<Record<string, string | number | undefined>>;

/** What a case shows. */
export interface Table {
  readonly title: string;
  /** In the order shown. */
  readonly columns: Readonly<Record<string, Format>>;
  readonly rows: readonly Row[];
}

/** One of the numbers that a change must not make worse. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  /** What the value is counted in, such as `× naive-ws`. */
  readonly unit: string;
  /** What it has to reach: one of the two. */
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** What a case measured. */
export interface Outcome {
  readonly tables: readonly Table[];
  readonly figures: readonly Figure[];
}

/** A case's outcome and what it depends on, as it is stored. */
export interface Result extends Outcome {
  readonly date: string;
  readonly machine: Machine;
  readonly natsServer: string;
  readonly rounds: number;
  readonly seconds: number;
}

/** Results by case. */
export type Results = Readonly<Record<string, Result>>;

/** Column of the load's CPU. */
export const LOAD_CPU = "load's CPU";
/** Above this the load may have been what was measured. */
const BUSY_LOAD = 0.9;

/** A table as Markdown. Rows whose load was too busy are marked. */
export function markdown({ title, columns, rows }: Table): string {
  const names = Object.keys(columns);
  const cells = rows.map((row) => names.map((name) => cell(row[name], columns[name] ?? "text", name === LOAD_CPU)));
  return [`**${title}**`, "", line(names), line(names.map(() => "---")), ...cells.map(line), ""].join("\n");
}

const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

function cell(value: string | number | undefined, format: Format, isLoad: boolean): string {
  if (value === undefined || Number.isNaN(value)) return "–";
  if (typeof value === "string") return value;
  const busy = isLoad && value > BUSY_LOAD ? " (!)" : "";
  switch (format) {
    case "percent":
      return `${(value * 100).toFixed(0)} %${busy}`;
    case "count":
      return Math.round(value).toLocaleString("en");
    default:
      return value.toFixed(2);
  }
}

/** How many times over a figure reaches what it has to: 1 and more is enough. Undefined when nothing is asked of it. */
export function reach({ value, atLeast, atMost }: Figure): number | undefined {
  if (atLeast !== undefined) return value / atLeast;
  return atMost === undefined ? undefined : atMost / value;
}

/** The figures of all cases as a table. */
export function summary(results: Results): Table {
  const figures = Object.values(results).flatMap((result) => result.figures);
  return {
    title: "Figures",
    columns: { figure: "text", measured: "text", "has to be": "text", "": "text" },
    rows: figures.map((figure) => {
      const reached = reach(figure);
      return {
        figure: figure.name,
        measured: `${short(figure.value)} ${figure.unit}`,
        "has to be": limit(figure),
        "": reached === undefined ? "" : reached >= 1 ? "yes" : "no",
      };
    }),
  };
}

/** A number with as many digits as it deserves. */
export function short(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(2);
}

function limit({ atLeast, atMost }: Figure): string {
  if (atLeast !== undefined) return `≥ ${short(atLeast)}`;
  return atMost === undefined ? "" : `≤ ${short(atMost)}`;
}

/** Results stored before; none when there is no such file. */
export async function readResults(file: string): Promise<Results> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as Results;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw error;
  }
}

/** Stores results; the other cases' stay as they were. */
export async function mergeResults(file: string, results: Results): Promise<Results> {
  const merged = { ...(await readResults(file)), ...results };
  await writeFile(file, `${JSON.stringify(merged, undefined, 2)}\n`);
  return merged;
}
