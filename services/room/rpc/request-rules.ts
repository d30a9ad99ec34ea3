import { TLSSocket } from "node:tls";
import { hasLoopbackName, isAllowedOrigin, parseListenerUrl } from "../../origin.ts";
import type { HttpRequest } from "./listener.ts";

/** Why a request is refused before anything else is looked at. */
export interface Refusal {
  readonly status: 400 | 403 | 421;
  readonly message: string;
}

/** What a request must fulfil. */
export interface RequestRules {
  /**
   * True when the Host must name this machine: without tokens a page that resolves its own name to 127.0.0.1 (DNS
   * rebinding) could otherwise call everything from a visitor's browser.
   */
  readonly loopbackHostOnly: boolean;
  /** Exact origins whose pages may call, beside those served under the same Host; `*` allows all. */
  readonly allowedOrigins: readonly string[];
}

/** Holds the rules against a request; undefined when it may pass. */
export function refuse(request: HttpRequest, rules: RequestRules): Refusal | undefined {
  const host = hostOf(request);
  const scheme = request.socket instanceof TLSSocket ? "https" : "http";
  const listener = host === undefined ? undefined : parseListenerUrl(scheme, host);
  if (listener === undefined) return { status: 400, message: "exactly one valid Host is required" };
  if (rules.loopbackHostOnly && !hasLoopbackName(listener)) {
    return { status: 421, message: "without RPC_TOKENS the Host must be localhost, 127.0.0.1 or [::1]" };
  }
  const { origin } = request.headers;
  if (origin === undefined || isAllowedOrigin(origin, listener, rules.allowedOrigins)) return undefined;
  return { status: 403, message: "pages of this origin may not call; see ALLOWED_ORIGINS" };
}

/** The one host the request names: two that differ could each be checked by someone else. */
function hostOf(request: HttpRequest): string | undefined {
  const names = new Set<string>();
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    const name = request.rawHeaders[index]?.toLowerCase();
    if (name === "host" || name === ":authority") names.add(request.rawHeaders[index + 1] ?? "");
  }
  const [host, ...others] = names;
  return others.length === 0 ? host : undefined;
}
