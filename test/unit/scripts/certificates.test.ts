import "reflect-metadata";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { X509Certificate as Parsed } from "@peculiar/x509";
import { beforeAll, describe, expect, it } from "vitest";
import { Authority } from "../../../scripts/certificates.ts";

const DAY_MS = 86_400_000;
const CRITICAL = { basicConstraints: "2.5.29.19", keyUsage: "2.5.29.15" } as const;

describe("certificates", () => {
  let authority: Authority;
  let ca: X509Certificate;
  beforeAll(async () => {
    authority = await Authority.create("an authority");
    ca = new X509Certificate(authority.cert);
  });

  it("name their authority, which signs for itself", async () => {
    expect(ca).toMatchObject({ ca: true, subject: "CN=an authority", issuer: "CN=an authority" });
    expect(ca.verify(ca.publicKey)).toBe(true);
    const { cert, key } = await authority.issue("a server", ["room-1", "127.0.0.1"]);
    const server = new X509Certificate(cert);
    expect(server).toMatchObject({ ca: false, subject: "CN=a server", issuer: "CN=an authority" });
    expect(server.subjectAltName).toBe("DNS:room-1, IP Address:127.0.0.1");
    expect(server.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
    expect(server.checkIssued(ca) && server.verify(ca.publicKey)).toBe(true);
    expect(server.checkPrivateKey(createPrivateKey(key))).toBe(true);
    const namesake = await Authority.create("an authority");
    expect(server.verify(new X509Certificate(namesake.cert).publicKey)).toBe(false);
  });

  it("say what their key is for, where nobody may overlook it", async () => {
    for (const cert of [authority.cert, (await authority.issue("a", ["a"])).cert]) {
      const critical = new Parsed(cert).extensions.filter((extension) => extension.critical).map(({ type }) => type);
      expect(critical).toEqual([CRITICAL.basicConstraints, CRITICAL.keyUsage]);
    }
  });

  it("are good from before now for ten years, or until when they are told, in any century", async () => {
    const certify = async (until?: Date) => new X509Certificate((await authority.issue("a", ["a"], until)).cert);
    const lasting = await certify();
    expect(lasting.validFromDate.getTime()).toBeLessThan(Date.now());
    expect(lasting.validToDate.getTime()).toBeGreaterThan(Date.now() + 3_650 * DAY_MS);
    for (const text of ["2049-12-31T23:59:59.000Z", "2050-01-01T00:00:00.000Z"]) {
      const until = new Date(text);
      expect((await certify(until)).validToDate).toEqual(until);
    }
  });
});
