import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Paths of the PEM files of one test's own authority. */
export interface Certificates extends Disposable {
  readonly ca: string;
  /** Of 127.0.0.1 and localhost. */
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
  /** Signed by another authority. */
  readonly stranger: { readonly cert: string; readonly key: string };
  /** Ended yesterday. */
  readonly expired: { readonly cert: string; readonly key: string };
}

/** Makes an authority and what it signs with openssl, good for a day; disposing deletes the files. */
export function makeCertificates(): Certificates {
  const directory = mkdtempSync(join(tmpdir(), "baccarat-tls-"));
  const path = (name: string): string => join(directory, name);
  const openssl = (...args: string[]): void =>
    void execFileSync("openssl", args, { cwd: directory, stdio: ["ignore", "ignore", "pipe"] });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const authority = (name: string): void =>
    openssl(
      "req",
      "-x509",
      ...newKey,
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.pem`,
      "-days",
      "1",
      "-subj",
      `/CN=${name}`,
    );
  const signed = (name: string, by: string, days = 1) => {
    writeFileSync(path(`${name}.ext`), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
    openssl("req", ...newKey, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    const authorityFiles = ["-CA", `${by}.pem`, "-CAkey", `${by}.key`, "-CAcreateserial"];
    openssl(
      "x509",
      "-req",
      "-in",
      `${name}.csr`,
      ...authorityFiles,
      "-out",
      `${name}.pem`,
      "-days",
      `${days}`,
      "-extfile",
      `${name}.ext`,
    );
    return { cert: path(`${name}.pem`), key: path(`${name}.key`) };
  };
  authority("authority");
  authority("others");
  return {
    ca: path("authority.pem"),
    server: signed("server", "authority"),
    client: signed("client", "authority"),
    stranger: signed("stranger", "others"),
    expired: signed("expired", "authority", -1),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true }),
  };
}
