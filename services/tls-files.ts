import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { BadValue, plainText, type Reader } from "./config-values.ts";

/** A certificate and its key, as PEM text. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** The content of a file with certificates in PEM. */
export const certificateFile: Reader<string> = (path) => pemFile(path, /-----BEGIN (TRUSTED )?CERTIFICATE-----/);

/** The content of a file with a private key in PEM, which must not need a passphrase. */
export const keyFile: Reader<string> = (path) => pemFile(path, /-----BEGIN ([A-Z]+ )?PRIVATE KEY-----/);

/** What is wrong with the parts of a key pair, undefined when nothing is; both may be absent. */
export function pairProblem(cert: string | undefined, key: string | undefined): string | undefined {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) return "a certificate and its key go together";
  try {
    createSecureContext({ cert, key });
    return undefined;
  } catch (error) {
    return `the certificate and the key cannot be used together: ${(error as Error).message}`;
  }
}

/** Both parts, undefined when there is none. */
export function keyPair(cert: string | undefined, key: string | undefined): KeyPair | undefined {
  return cert === undefined || key === undefined ? undefined : { cert, key };
}

function pemFile(path: string, content: RegExp): string {
  let text: string;
  try {
    text = readFileSync(plainText(path), "utf8");
  } catch (error) {
    if (error instanceof BadValue) throw error;
    throw new BadValue(`cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  if (!content.test(text)) throw new BadValue("is no PEM file of the right kind");
  return text;
}
