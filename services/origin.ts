/** Names by which a browser reaches its own machine, and no other. */
const LOOPBACK_NAMES = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** A listener as one request names it, from its scheme and the Host header; undefined when that is no `host[:port]`. */
export function parseListenerUrl(scheme: "http" | "https", host: string): URL | undefined {
  const url = `${scheme}://${host}`;
  if (url === last?.url) return last.parsed;
  const parsed = /^[^\s/?#@\\]+$/.test(host) && URL.canParse(url) ? new URL(url) : undefined;
  last = { url, parsed };
  return parsed;
}

/** Parsed last: most requests to a process name it by the same host. */
let last: { readonly url: string; readonly parsed: URL | undefined } | undefined;

/** True when the URL's host is a name of this machine that no web page can take over. */
export function hasLoopbackName(url: URL): boolean {
  return LOOPBACK_NAMES.has(url.hostname);
}

/**
 * True for the listener's own origin and for those on the list, where `*` is any origin. Compared as text once it is
 * known to be an origin and nothing more, so `null`, paths, other ports and look-alike suffixes all fail.
 */
export function isAllowedOrigin(origin: string, listener: URL, allowed: readonly string[]): boolean {
  if (!URL.canParse(origin) || new URL(origin).origin !== origin) return false;
  return origin === listener.origin || allowed.includes(origin) || allowed.includes("*");
}
