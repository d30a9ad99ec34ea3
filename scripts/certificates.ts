// First: the library below does not load without it.
import "reflect-metadata";
import { KeyObject, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";

/** A certificate and its private key, as PEM text. */
export interface Certified {
  readonly cert: string;
  readonly key: string;
}

type Keys = webcrypto.CryptoKeyPair;

/** Ten years: what makes these certificates can make others at any time. */
const YEARS = 10;
/** Clocks of the machines they are shown to may be behind, in milliseconds. */
const BEFORE_MS = 3_600_000;
const KEYS = { name: "ECDSA", namedCurve: "P-256" } as const;

/**
 * An authority for as long as it is kept (RFC 5280; ECDSA on P-256). Its key cannot be taken out of it: who drops the object
 * drops the key, and nothing else can be signed in its name.
 */
export class Authority {
  /** Its own certificate, as PEM text: what others are to trust. */
  readonly cert: string;
  readonly #name: string;
  readonly #keys: Keys;

  /** @param name shown as issuer. */
  static async create(name: string): Promise<Authority> {
    const keys = await newKeys(false);
    const cert = await sign({ name, publicKey: keys.publicKey, until: inYears(), issuer: { name, keys } }, [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ]);
    return new Authority(name, keys, cert);
  }

  private constructor(name: string, keys: Keys, cert: string) {
    this.cert = cert;
    this.#name = name;
    this.#keys = keys;
  }

  /**
   * Certifies a new key for a server of these names and IP addresses, which may show it as a client, too.
   * @param until when it ends. Default: in ten years.
   */
  async issue(name: string, hosts: readonly string[], until = inYears()): Promise<Certified> {
    const { publicKey, privateKey } = await newKeys(true);
    const issuer = { name: this.#name, keys: this.#keys };
    const cert = await sign({ name, publicKey, until, issuer }, [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension(hosts.map((value) => ({ type: isIP(value) === 0 ? "dns" : "ip", value }))),
    ]);
    return { cert, key: KeyObject.from(privateKey).export({ type: "pkcs8", format: "pem" }) as string };
  }
}

interface Subject {
  readonly name: string;
  readonly publicKey: webcrypto.CryptoKey;
  readonly until: Date;
  readonly issuer: { readonly name: string; readonly keys: Keys };
}

async function sign({ name, publicKey, until, issuer }: Subject, extensions: readonly Extension[]): Promise<string> {
  const certificate = await X509CertificateGenerator.create({
    subject: [{ CN: [name] }],
    issuer: [{ CN: [issuer.name] }],
    notBefore: new Date(Date.now() - BEFORE_MS),
    notAfter: until,
    publicKey,
    signingKey: issuer.keys.privateKey,
    extensions: [
      ...extensions,
      await SubjectKeyIdentifierExtension.create(publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer.keys.publicKey),
    ],
  });
  return `${certificate.toString("pem")}\n`;
}

function inYears(): Date {
  const date = new Date();
  date.setUTCFullYear(date.getUTCFullYear() + YEARS);
  return date;
}

function newKeys(extractable: boolean): Promise<Keys> {
  return webcrypto.subtle.generateKey(KEYS, extractable, ["sign", "verify"]);
}
