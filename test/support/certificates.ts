import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Authority } from "../../scripts/certificates.ts";

/** Paths of the PEM files of one test's own authority. */
export interface Certificates extends Disposable {
  readonly ca: string;
  /** Of 127.0.0.1 and localhost. */
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
  /** Signed by another authority. */
  readonly stranger: { readonly cert: string; readonly key: string };
  /** Ended a minute ago. */
  readonly expired: { readonly cert: string; readonly key: string };
}

const HOSTS = ["127.0.0.1", "localhost"];

/** Makes an authority and what it signs; disposing deletes the files. */
export async function makeCertificates(): Promise<Certificates> {
  const directory = mkdtempSync(join(tmpdir(), "baccarat-tls-"));
  const write = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  const issue = async (issuer: Authority, name: string, until?: Date) => {
    const { cert, key } = await issuer.issue(name, HOSTS, until);
    return { cert: write(`${name}.pem`, cert), key: write(`${name}.key`, key) };
  };
  const authority = await Authority.create("authority");
  return {
    ca: write("authority.pem", authority.cert),
    server: await issue(authority, "server"),
    client: await issue(authority, "client"),
    stranger: await issue(await Authority.create("others"), "stranger"),
    expired: await issue(authority, "expired", new Date(Date.now() - 60_000)),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true }),
  };
}
