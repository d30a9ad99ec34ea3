import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIPv4 } from "node:net";

/** A certificate and its private key, as PEM text. */
export interface Certified {
  readonly cert: string;
  readonly key: string;
}

/** Ten years: what makes these certificates can make others at any time. */
const YEARS = 10;
/** Clocks of the machines they are shown to may be behind, in milliseconds. */
const BEFORE_MS = 3_600_000;
const OID = {
  ecPublicKeyWithSha256: "1.2.840.10045.4.3.2",
  commonName: "2.5.4.3",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;
/** Bits of keyUsage, as a BIT STRING's content: how many bits are unused, then the bits. */
const SIGNS_CERTIFICATES = Buffer.of(1, 0b0000_0110);
const SIGNS_HANDSHAKES = Buffer.of(7, 0b1000_0000);

/**
 * An authority for as long as it is kept (RFC 5280; ECDSA on P-256). Node signs, but writes no certificates, and openssl is
 * not on every machine. Who drops the object drops the authority's key: nothing else can be signed in its name.
 */
export class Authority {
  /** Its own certificate, as PEM text: what others are to trust. */
  readonly cert: string;
  readonly #name: string;
  readonly #keys = newKeys();

  /** @param name shown as issuer. */
  constructor(name: string) {
    this.#name = name;
    this.cert = this.#sign(name, this.#keys.publicKey, inYears(), [
      extension(OID.basicConstraints, sequence(boolean(true)), true),
      extension(OID.keyUsage, tlv(0x03, SIGNS_CERTIFICATES), true),
    ]);
  }

  /**
   * Certifies a new key for a server of these names and IPv4 addresses, which may show it as a client, too.
   * @param until when it ends. Default: in ten years.
   */
  issue(name: string, hosts: readonly string[], until = inYears()): Certified {
    const { publicKey, privateKey } = newKeys();
    const names = hosts.map((host) =>
      isIPv4(host) ? tlv(0x87, Buffer.from(host.split(".").map(Number))) : tlv(0x82, Buffer.from(host, "ascii")),
    );
    const cert = this.#sign(name, publicKey, until, [
      extension(OID.basicConstraints, sequence(), true),
      extension(OID.keyUsage, tlv(0x03, SIGNS_HANDSHAKES), true),
      extension(OID.extendedKeyUsage, sequence(oid(OID.serverAuth), oid(OID.clientAuth))),
      extension(OID.subjectAltName, sequence(...names)),
    ]);
    return { cert, key: privateKey.export({ type: "pkcs8", format: "pem" }) as string };
  }

  #sign(name: string, publicKey: KeyObject, until: Date, extensions: readonly Buffer[]): string {
    const algorithm = sequence(oid(OID.ecPublicKeyWithSha256));
    const identifiers = [
      extension(OID.subjectKeyIdentifier, tlv(0x04, identifier(publicKey))),
      extension(OID.authorityKeyIdentifier, sequence(tlv(0x80, identifier(this.#keys.publicKey)))),
    ];
    const body = sequence(
      tlv(0xa0, integer(Buffer.of(2))),
      integer(serialNumber()),
      algorithm,
      distinguishedName(this.#name),
      sequence(time(new Date(Date.now() - BEFORE_MS)), time(until)),
      distinguishedName(name),
      publicKey.export({ type: "spki", format: "der" }),
      tlv(0xa3, sequence(...extensions, ...identifiers)),
    );
    const signature = sign("sha256", body, this.#keys.privateKey);
    return pem(sequence(body, algorithm, tlv(0x03, Buffer.of(0), signature)));
  }
}

function inYears(): Date {
  const date = new Date();
  date.setUTCFullYear(date.getUTCFullYear() + YEARS);
  return date;
}

function newKeys(): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

/** By which a certificate says whose key signed it. */
function identifier(publicKey: KeyObject): Buffer {
  return createHash("sha1")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest();
}

/** A random number above zero whose first byte is neither 0 nor negative. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), tlv(0x04, value));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(tlv(0x31, sequence(oid(OID.commonName), tlv(0x0c, Buffer.from(commonName)))));
}

/** Years from 2050 on have a form of their own. */
function time(date: Date): Buffer {
  const text = `${date.toISOString().replace(/[-:T]|\..*/g, "")}Z`;
  return date.getUTCFullYear() < 2050 ? tlv(0x17, Buffer.from(text.slice(2))) : tlv(0x18, Buffer.from(text));
}

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return tlv(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

/** Seven bits a byte, all but the last marked. */
function base128(value: number): number[] {
  const bytes = [value & 0x7f];
  for (let left = value >> 7; left > 0; left >>= 7) bytes.unshift((left & 0x7f) | 0x80);
  return bytes;
}

const boolean = (value: boolean): Buffer => tlv(0x01, Buffer.of(value ? 0xff : 0));
const integer = (bytes: Buffer): Buffer => tlv(0x02, bytes);
const sequence = (...parts: readonly Buffer[]): Buffer => tlv(0x30, ...parts);

/** Tag, length and value: how DER writes everything. */
function tlv(tag: number, ...parts: readonly Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...lengthBytes(value.length)]), value]);
}

/** Of what is shorter than 64 KiB: certificates are. */
function lengthBytes(length: number): number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}

function pem(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
