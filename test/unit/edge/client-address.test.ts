import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  canonicalAddress,
  clientAddress,
  networkOf,
  trustedProxies,
  UNKNOWN_ADDRESS,
} from "../../../edge/client-address.ts";
import { cidr } from "../../../services/config-values.ts";

const trusted = trustedProxies(["10.0.0.0/8", "127.0.0.1", "fd00::/8"].map(cidr));
const nobody = trustedProxies([]);

describe("clientAddress", () => {
  it.each([
    ["a direct connection", "192.0.2.1", [], "192.0.2.1"],
    ["an untrusted peer's header", "192.0.2.1", ["203.0.113.9"], "192.0.2.1"],
    ["a proxy's header", "10.0.0.1", ["203.0.113.9"], "203.0.113.9"],
    ["a proxy without a header", "10.0.0.1", [], "10.0.0.1"],
    ["a proxy with an empty header", "10.0.0.1", [""], "10.0.0.1"],
    ["what the client put in front", "10.0.0.1", ["1.2.3.4, 203.0.113.9"], "203.0.113.9"],
    ["two proxies", "10.0.0.1", ["1.2.3.4, 203.0.113.9, 10.0.0.2"], "203.0.113.9"],
    ["two headers", "10.0.0.1", ["1.2.3.4", "203.0.113.9, 10.0.0.2"], "203.0.113.9"],
    ["proxies all the way", "10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"],
    ["garbage before the client", "10.0.0.1", ["<script>, 203.0.113.9"], "203.0.113.9"],
    ["garbage from the proxy", "10.0.0.1", ["203.0.113.9, unknown"], "10.0.0.1"],
    ["garbage from an inner proxy", "10.0.0.1", ["203.0.113.9, ,10.0.0.2"], "10.0.0.2"],
    ["a port", "10.0.0.1", ["203.0.113.9:4711"], "203.0.113.9"],
    ["IPv6 in brackets with a port", "10.0.0.1", ["[2001:DB8::0:1]:4711"], "2001:db8::1"],
    ["IPv4 in IPv6", "::ffff:10.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9"],
    ["IPv4 in IPv6, in hex", "::ffff:a00:1", ["::ffff:cb00:7109"], "203.0.113.9"],
    ["an IPv6 proxy", "fd00::1", ["2001:db8::1"], "2001:db8::1"],
    ["a zone", "fe80::1%eth0", [], "fe80::1"],
    ["a thousand entries", "10.0.0.1", [Array.from({ length: 1_000 }, () => "10.9.9.9").join(",")], "10.9.9.9"],
    ["a socket that is gone", undefined, ["203.0.113.9"], UNKNOWN_ADDRESS],
    ["a socket of another kind", "/run/edge.sock", ["203.0.113.9"], UNKNOWN_ADDRESS],
  ])("%s", (_, socketAddress, forwardedFor, expected) => {
    expect(clientAddress(socketAddress, forwardedFor, trusted)).toBe(expected);
  });

  it("ignores the header when nobody is trusted", () => {
    expect(clientAddress("10.0.0.1", ["203.0.113.9"], nobody)).toBe("10.0.0.1");
  });

  it("never throws, and gives an address or says it has none", () => {
    const text = fc.oneof(fc.string({ unit: "binary" }), fc.ipV4(), fc.ipV6(), fc.ipV4Extended());
    fc.assert(
      fc.property(fc.option(text, { nil: undefined }), fc.array(text), (socketAddress, forwardedFor) => {
        const address = clientAddress(socketAddress, forwardedFor, trusted);
        return address === UNKNOWN_ADDRESS || canonicalAddress(address) === address;
      }),
    );
  });
});

describe("canonicalAddress", () => {
  it.each([
    ["1.2.3.4", "1.2.3.4"],
    ["01.2.3.4", undefined],
    ["1.2.3", undefined],
    ["2001:0DB8:0:0::1", "2001:db8::1"],
    ["::", "::"],
    ["", undefined],
    ["localhost", undefined],
  ])("%s is %s", (text, expected) => {
    expect(canonicalAddress(text)).toBe(expected);
  });
});

describe("networkOf", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::6", "2001:db8:1:2::/64"],
    ["2001:db8::6", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["::", "0:0:0:0::/64"],
    ["fe80::", "fe80:0:0:0::/64"],
    [UNKNOWN_ADDRESS, UNKNOWN_ADDRESS],
  ])("%s is counted as %s", (address, expected) => {
    expect(networkOf(address)).toBe(expected);
  });
});
