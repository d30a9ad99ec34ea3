import { BlockList, isIP, SocketAddress } from "node:net";
import type { Cidr } from "../services/config-values.ts";

/** Where a connection comes from when nobody can say. */
export const UNKNOWN_ADDRESS = "unknown";

/** Proxies whose X-Forwarded-For counts; undefined for none. */
export function trustedProxies(ranges: readonly Cidr[]): BlockList | undefined {
  if (ranges.length === 0) return undefined;
  const trusted = new BlockList();
  for (const { address, prefix, family } of ranges) trusted.addSubnet(address, prefix, family);
  return trusted;
}

/**
 * The address a client comes from: that of the socket, or, while that is a trusted proxy, the hop it names. Hops are read
 * from the right, since everything left of the first untrusted one is the client's own invention. A hop that is no
 * address ends the walk at the proxy that reported it. Never throws.
 */
export function clientAddress(
  socketAddress: string | undefined,
  forwardedFor: readonly string[],
  trusted: BlockList | undefined,
): string {
  let address = canonicalAddress(socketAddress ?? "");
  if (address === undefined) return UNKNOWN_ADDRESS;
  if (trusted === undefined) return address;
  const hops = forwardedFor.join(",").split(",");
  while (isTrusted(address, trusted)) {
    const next = canonicalAddress(withoutPort(hops.pop()?.trim() ?? ""));
    if (next === undefined) return address;
    address = next;
  }
  return address;
}

/** One spelling per address: IPv6 shortened, IPv4 inside IPv6 as IPv4, no zone. Undefined when it is no address. */
export function canonicalAddress(text: string): string | undefined {
  const [bare = ""] = text.split("%");
  const version = isIP(bare);
  if (version === 4) return bare;
  if (version === 0) return undefined;
  const { address } = new SocketAddress({ address: bare, family: "ipv6" });
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  return mapped?.[1] ?? address;
}

/** Whom limits count as one: an IPv4 address, or the /64 of an IPv6 address, which is what one subscriber gets. */
export function networkOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = "", tail] = address.split("::");
  const groups = head.split(":").filter((group) => group !== "");
  const after = tail?.split(":").filter((group) => group !== "").length ?? 0;
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - groups.length - after }, () => "0");
  return `${[...groups, ...zeros, ...Array(4).fill("0")].slice(0, 4).join(":")}::/64`;
}

function isTrusted(address: string, trusted: BlockList): boolean {
  return trusted.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}

/** Some proxies write `192.0.2.1:49152` or `[2001:db8::1]:49152`. */
function withoutPort(hop: string): string {
  return /^\[([^\]]*)\](?::\d+)?$/.exec(hop)?.[1] ?? /^([\d.]+):\d+$/.exec(hop)?.[1] ?? hop;
}
