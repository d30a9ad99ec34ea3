import { createPrivateKey, X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import { Authority } from "../../../scripts/certificates.ts";

const DAY_MS = 86_400_000;

describe("certificates", () => {
  const authority = new Authority("an authority");
  const ca = new X509Certificate(authority.cert);

  it("name their authority, which signs for itself", () => {
    expect(ca).toMatchObject({ ca: true, subject: "CN=an authority", issuer: "CN=an authority" });
    expect(ca.verify(ca.publicKey)).toBe(true);
    const { cert, key } = authority.issue("a server", ["room-1", "127.0.0.1"]);
    const server = new X509Certificate(cert);
    expect(server).toMatchObject({ ca: false, subject: "CN=a server", issuer: "CN=an authority" });
    expect(server.subjectAltName).toBe("DNS:room-1, IP Address:127.0.0.1");
    expect(server.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
    expect(server.checkIssued(ca) && server.verify(ca.publicKey)).toBe(true);
    expect(server.checkPrivateKey(createPrivateKey(key))).toBe(true);
    expect(server.verify(new X509Certificate(new Authority("an authority").cert).publicKey)).toBe(false);
  });

  it("are good from before now for ten years, or until when they are told, in any century", () => {
    const lasting = new X509Certificate(authority.issue("a", ["a"]).cert);
    expect(lasting.validFromDate.getTime()).toBeLessThan(Date.now());
    expect(lasting.validToDate.getTime()).toBeGreaterThan(Date.now() + 3_650 * DAY_MS);
    for (const text of ["2049-12-31T23:59:59.000Z", "2050-01-01T00:00:00.000Z"]) {
      const until = new Date(text);
      expect(new X509Certificate(authority.issue("a", ["a"], until).cert).validToDate).toEqual(until);
    }
  });

  it("may have more names than a short length tells", () => {
    const hosts = Array.from({ length: 40 }, (_, index) => `server-${index}.example.com`);
    const many = new X509Certificate(authority.issue("many", hosts).cert);
    expect(hosts.filter((host) => many.checkHost(host) === undefined)).toEqual([]);
  });
});
