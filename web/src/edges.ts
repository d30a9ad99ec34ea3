/**
 * WebSocket addresses for /duo: those of `?edges=http://a,http://b`, else the page's own edge. Undefined when what is
 * given is not one or two http(s) addresses.
 */
export function edgesOf(href: string): readonly string[] | undefined {
  const page = new URL(href);
  const given = page.searchParams.get("edges")?.split(",") ?? [page.origin];
  if (given.length > 2) return undefined;
  const urls = given.map((address) => webSocketUrl(address.trim()));
  return urls.every((url) => url !== undefined) ? urls : undefined;
}

/** `http://host:port` → `ws://host:port/ws`. */
export function webSocketUrl(address: string): string | undefined {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") return undefined;
  return `${url.origin.replace("http", "ws")}/ws`;
}
