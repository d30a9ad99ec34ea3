import type { Reader } from "./config-values.ts";

/** A variable of the environment. Its name is its key in capitals: edgePort is EDGE_PORT. */
export interface Variable<T> {
  /** Heading it is listed under. */
  readonly group: string;
  /** What it does, and why it has its default. */
  readonly meaning: string;
  /** Text used when it is unset; undefined when being unset has a meaning of its own. */
  readonly default?: string;
  /** What being unset means, or another word for the default. */
  readonly unset?: string;
  /** True when neither its value nor a part of it may be shown. */
  readonly secret?: true;
  /** True when the empty text is a value. */
  readonly keepsEmpty?: true;
  readonly read: Reader<T>;
}

/** A variable that always has a value. */
export const given = <T>(row: Variable<T> & { readonly default: string }) => row;
/** A variable that may be undefined. */
export const optional = <T>(row: Omit<Variable<T>, "default"> & { readonly unset: string }): Variable<T | undefined> =>
  row;
