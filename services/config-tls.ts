import * as read from "./config-values.ts";
import { optional, type Variable } from "./config-variable.ts";
import { certificateFile, keyFile } from "./tls-files.ts";

const TLS = "TLS";
/** What has to be said before production does without TLS: nobody writes it without having read why. */
const ELSEWHERE = "i-terminate-tls-elsewhere";

/** A variable that names a PEM file; its value is what is in it. */
const pem = (reader: read.Reader<string>, meaning: string): Variable<string | undefined> =>
  optional({ group: TLS, unset: "none", meaning, read: reader });

/** Certificates, keys and authorities, and what may go without. */
export const TLS_VARIABLES = {
  tlsCertFile: pem(certificateFile, "certificate (PEM, with its chain) of the page and the WebSocket; unset: no TLS"),
  tlsKeyFile: pem(keyFile, "its private key (PEM)"),
  rpcTlsCertFile: pem(certificateFile, "certificate (PEM, with its chain) of the RPC API; unset: no TLS"),
  rpcTlsKeyFile: pem(keyFile, "its private key (PEM)"),
  rpcClientCaFile: pem(
    certificateFile,
    "authorities (PEM) one of which must have signed the certificate of whoever calls; tokens count all the same",
  ),
  roomServiceCaFile: pem(
    certificateFile,
    "authorities (PEM) an edge trusts to have signed the RoomServices' certificates, instead of the system's",
  ),
  roomServiceCertFile: pem(certificateFile, "certificate (PEM) an edge shows to RoomServices"),
  roomServiceKeyFile: pem(keyFile, "its private key (PEM)"),
  natsTlsCa: pem(
    certificateFile,
    "file of authorities (PEM) trusted to have signed the NATS servers' certificates, instead of the system's",
  ),
  natsTlsCert: pem(certificateFile, "file of the certificate (PEM) shown to NATS servers"),
  natsTlsKey: pem(keyFile, "file of its private key (PEM)"),
  insecureRpc: optional({
    group: TLS,
    unset: "production wants TLS",
    meaning: `${ELSEWHERE} lets production speak RPC without TLS off loopback: on a network that is private or encrypts`,
    read: read.oneOf(ELSEWHERE),
  }),
  insecureNats: optional({
    group: TLS,
    unset: "production wants TLS",
    meaning: `${ELSEWHERE} lets production reach NATS servers without TLS off loopback, likewise`,
    read: read.oneOf(ELSEWHERE),
  }),
} satisfies Record<string, Variable<unknown>>;
