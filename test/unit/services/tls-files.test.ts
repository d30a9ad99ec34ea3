import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Environment, parseConfig } from "../../../services/config.ts";
import { type Certificates, makeCertificates } from "../../support/certificates.ts";

let files: Certificates;
beforeAll(async () => {
  files = await makeCertificates();
});
afterAll(() => files[Symbol.dispose]());

function mistakes(env: Environment): readonly string[] {
  const parsed = parseConfig(env);
  return parsed.ok ? [] : parsed.mistakes;
}

describe("TLS files", () => {
  it("are read when the configuration is", () => {
    const parsed = parseConfig({ TLS_CERT_FILE: files.server.cert, TLS_KEY_FILE: files.server.key });
    expect(parsed).toMatchObject({ ok: true, config: { tlsKeyFile: expect.stringContaining("PRIVATE KEY") } });
  });

  it("are refused in one line when they cannot be used, without their content", () => {
    const { server, client, ca } = files;
    const cases: readonly (readonly [Environment, RegExp])[] = [
      [{ TLS_CERT_FILE: "/nowhere.pem", TLS_KEY_FILE: server.key }, /^TLS_CERT_FILE: .*cannot be read: ENOENT$/],
      [{ TLS_CERT_FILE: server.key, TLS_KEY_FILE: server.key }, /^TLS_CERT_FILE: .*no PEM file of the right kind$/],
      [{ TLS_CERT_FILE: server.cert, TLS_KEY_FILE: server.cert }, /^TLS_KEY_FILE: .*no PEM file of the right kind$/],
      [{ TLS_CERT_FILE: server.cert }, /^TLS_CERT_FILE: a certificate and its key go together$/],
      [{ RPC_TLS_KEY_FILE: server.key }, /^RPC_TLS_CERT_FILE: a certificate and its key go together$/],
      [{ TLS_CERT_FILE: server.cert, TLS_KEY_FILE: client.key }, /^TLS_CERT_FILE: .*cannot be used together/],
      [{ RPC_CLIENT_CA_FILE: ca }, /^RPC_CLIENT_CA_FILE: has no effect without RPC_TLS_CERT_FILE$/],
      [{ NATS_TLS_CA: ca }, /^NATS_TLS_CA: has no effect without NATS_URL$/],
    ];
    for (const [env, expected] of cases) {
      const found = mistakes(env);
      expect(found[0]).toMatch(expected);
      expect(found.join("\n")).not.toMatch(/BEGIN|\n\n/);
    }
  });
});
