import { createHash, timingSafeEqual } from "node:crypto";
import { type ContextKey, createContextKey } from "@connectrpc/connect";
import { SCOPES, type Service } from "../../auth.ts";
import type { RpcToken } from "../../config-values.ts";
import { RoomError } from "../../errors.ts";

/** The caller of an RPC. By default nobody: a service that may do nothing. */
export const callerKey: ContextKey<Service> = createContextKey<Service>(
  { kind: "service", name: "", scopes: new Set() },
  { description: "caller" },
);

/** Whoever calls in process, or over loopback where no tokens are configured. May do everything. */
export const LOCAL_SERVICE: Service = { kind: "service", name: "local", scopes: new Set(SCOPES) };

/** RFC 6750, section 2.1; the scheme's name is case-insensitive (RFC 9110, section 11.1). */
const BEARER = /^bearer +(\S+)$/i;

/** Who may call: the configured tokens, or anyone when there are none. */
export class Credentials {
  readonly #known: readonly { readonly digest: Buffer; readonly service: Service }[];

  constructor(tokens: readonly RpcToken[]) {
    this.#known = tokens.map(({ name, scopes, secret }) => ({
      digest: digest(secret),
      service: { kind: "service", name, scopes: new Set(scopes) },
    }));
  }

  /** True when there are no tokens, so that every caller is LOCAL_SERVICE. */
  get open(): boolean {
    return this.#known.length === 0;
  }

  /** Who sent this Authorization header. @throws RoomError unauthenticated. */
  authenticate(header: string | null): Service {
    if (this.open) return LOCAL_SERVICE;
    if (header === null) throw new RoomError("unauthenticated", "send the header `Authorization: Bearer <token>`");
    const secret = BEARER.exec(header)?.[1];
    if (secret === undefined)
      throw new RoomError("unauthenticated", "the Authorization header is not `Bearer <token>`");
    const service = this.#find(digest(secret));
    if (!service) throw new RoomError("unauthenticated", "unknown token");
    return service;
  }

  /** Compares with every token, whichever fits, so that the time taken says nothing about any of them. */
  #find(presented: Buffer): Service | undefined {
    let found: Service | undefined;
    for (const { digest: known, service } of this.#known) {
      if (timingSafeEqual(known, presented)) found = service;
    }
    return found;
  }
}

/** Digests have one length, which timingSafeEqual needs, and hide that of the secret. */
function digest(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
