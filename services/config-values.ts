import { isIP } from "node:net";
import { availableParallelism } from "node:os";
import type { Scope } from "./auth.ts";
import { SCOPES } from "./auth.ts";
import { editDistance } from "./edit-distance.ts";
import { parseRoomId, type RoomId } from "./ids.ts";
import { isOlder } from "./nats-version.ts";

/**
 * How the text of a variable becomes a value. Every function here takes the whole text and throws BadValue with what was
 * expected; it never trims, guesses or falls back.
 */
export class BadValue extends Error {}

/** A reader of one kind of text. @throws BadValue. */
export type Reader<T> = (text: string) => T;

/** A range of addresses: `10.0.0.0/8`, or one address with the full prefix. */
export interface Cidr {
  readonly address: string;
  readonly prefix: number;
  readonly family: "ipv4" | "ipv6";
}

/** A secret another service presents, and what it may do with it. */
export interface RpcToken {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly secret: string;
}

/** A TCP port; 0 lets the system choose. */
export const port: Reader<number> = (text) => {
  if (/^(tcp|udp|sctp):\/\//.test(text)) {
    throw new BadValue(
      "is an address that Kubernetes sets for a service of that name; set enableServiceLinks: false, or this variable, in the pod",
    );
  }
  return integer(0, 65_535)(text);
};

/** A whole decimal number within bounds. */
export function integer(min: number, max: number): Reader<number> {
  return (text) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) throw new BadValue(`must be a whole number from ${min} to ${max}`);
    return value;
  };
}

/** How many processes: a number, or `auto` for as many as run at the same time on this machine. */
export const processes: Reader<number> = (text) => {
  if (text === "auto") return availableParallelism();
  if (!/^\d{1,3}$/.test(text)) throw new BadValue("must be auto or a whole number from 1 to 128");
  return integer(1, 128)(text);
};

/** A share from 0 to 1. */
export const share: Reader<number> = (text) => {
  const value = /^(\d{1,3}(\.\d{1,12})?|\.\d{1,12})$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= 1)) throw new BadValue("must be a number from 0 to 1");
  return value;
};

const UNITS_MS: ReadonlyMap<string, number> = new Map([
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** An age such as 7d, 12h, 30m or 45s, as milliseconds. A plain number is refused: nobody knows its unit. */
export function duration(min: string, max: string): Reader<number> {
  return (text) => {
    const value = parseDuration(text);
    if (value === undefined) throw new BadValue("must be a number with a unit: 45s, 30m, 12h or 7d");
    if (value < (parseDuration(min) ?? 0) || value > (parseDuration(max) ?? 0)) {
      throw new BadValue(`must be from ${min} to ${max}`);
    }
    return value;
  };
}

function parseDuration(text: string): number | undefined {
  const [, digits = "", unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const factor = UNITS_MS.get(unit);
  return factor === undefined ? undefined : Number(digits) * factor;
}

const UNITS_BYTES: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["B", 1],
  ["KiB", 1024],
  ["MiB", 1024 ** 2],
  ["GiB", 1024 ** 3],
  ["TiB", 1024 ** 4],
]);

/** A size such as 65536, 64KiB, 512MiB or 10GiB, as bytes. */
export function bytes(min: number, max: number): Reader<number> {
  return (text) => {
    const [, digits = "", unit = "?"] = /^(\d{1,15})([A-Za-z]{0,3})$/.exec(text) ?? [];
    const factor = UNITS_BYTES.get(unit);
    if (factor === undefined) throw new BadValue("must be a number of bytes, or one with a unit: 64KiB, 512MiB, 10GiB");
    const value = Number(digits) * factor;
    if (value < min || value > max) throw new BadValue(`must be from ${showBytes(min)} to ${showBytes(max)}`);
    return value;
  };
}

function showBytes(value: number): string {
  const fitting = [...UNITS_BYTES].reverse().find(([unit, factor]) => unit.length === 3 && value % factor === 0);
  return fitting ? `${value / fitting[1]}${fitting[0]}` : String(value);
}

/** One of a few words. */
export function oneOf<const T extends string>(...words: readonly T[]): Reader<T> {
  return (text) => {
    const word = words.find((candidate) => candidate === text);
    if (word === undefined) throw new BadValue(`must be ${words.join(", ").replace(/, ([^,]*)$/, " or $1")}`);
    return word;
  };
}

/** NODE_ENV belongs to everybody, so any word is fine but one that was probably meant to be `production`. */
export const nodeEnv: Reader<string> = (text) => {
  const word = text.toLowerCase();
  if (text !== "production" && (word === "prod" || editDistance(word, "production") <= 2)) {
    throw new BadValue('must be exactly "production" to switch the production checks on');
  }
  return text;
};

/** Text of a limited alphabet. */
export function matching(pattern: RegExp, expected: string): Reader<string> {
  return (text) => {
    if (!pattern.test(text)) throw new BadValue(expected);
    return text;
  };
}

/** A version such as 2.12.0, not below another. */
export function version(oldest: string): Reader<string> {
  return (text) => {
    if (!/^\d{1,4}\.\d{1,4}\.\d{1,4}$/.test(text) || isOlder(text, oldest)) {
      throw new BadValue(`must be a version like ${oldest}, and not below it`);
    }
    return text;
  };
}

/** Anything without control characters: a path, a name, a secret. */
export const plainText: Reader<string> = (text) => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
  if (/[\x00-\x1f\x7f]/.test(text)) throw new BadValue("must not contain control characters");
  return text;
};

const HOST_NAME = /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/;

/** True when only this machine can reach the address. */
export function isLoopback(hostName: string): boolean {
  return hostName === "localhost" || hostName === "::1" || (isIP(hostName) === 4 && hostName.startsWith("127."));
}

/** An address or a name to listen on. */
export const host: Reader<string> = (text) => {
  if (isIP(text) === 0 && (!HOST_NAME.test(text) || /^[\d.]+$/.test(text))) {
    throw new BadValue("must be an IP address without brackets, or a host name");
  }
  return text;
};

/** The room joined by itself; an empty text switches that off. */
export const optionalRoom: Reader<RoomId | undefined> = (text) => {
  if (text === "") return undefined;
  const room = parseRoomId(text);
  if (room === undefined || text.startsWith("direct:")) {
    throw new BadValue("must be a room id: 1 to 64 of A-Z a-z 0-9 _ . : @ -, not beginning with direct:");
  }
  return room;
};

/** Items between commas; white space around them and empty ones are left out, but not all may be empty. */
export function list<T>(item: Reader<T>): Reader<readonly T[]> {
  return (text) => {
    const items = text.split(",").map((part) => part.trim());
    const values = items.filter((part) => part !== "").map(item);
    if (values.length === 0) throw new BadValue("is a list without items");
    return values;
  };
}

/** An absolute URL of some protocols, without login, query and fragment; a `/` at its end is dropped. */
export function url(...protocols: readonly string[]): Reader<string> {
  const read = urlWithLogin(...protocols);
  return (text) => {
    const found = read(text);
    const { username, password } = new URL(found);
    // What is a secret has variables of its own, which are shown nowhere.
    if (username + password !== "") throw new BadValue("must have no user and password before the host");
    return found;
  };
}

function urlWithLogin(...protocols: readonly string[]): Reader<string> {
  const expected = `must be a URL like ${protocols[0]}://host:port`;
  return (text) => {
    const parsed = URL.canParse(text) ? new URL(text) : undefined;
    if (parsed === undefined || !protocols.includes(parsed.protocol.slice(0, -1)) || parsed.hostname === "") {
      throw new BadValue(expected);
    }
    if (parsed.search !== "" || parsed.hash !== "") throw new BadValue(`${expected}, without ? and #`);
    return text.replace(/\/+$/, "");
  };
}

/** `name=value` between commas, values percent-encoded, as OpenTelemetry writes HTTP headers. Never repeats the text. */
export const headers: Reader<Readonly<Record<string, string>>> = (text) => {
  const header: Reader<readonly [string, string]> = (pair) => {
    const [, name = "", encoded = ""] = /^\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*([\x21-\x7e]*)\s*$/.exec(pair) ?? [];
    // Only what is one printable character each: anything else has no place in a header.
    const value = encoded.replace(/%([2-7][\dA-Fa-f])/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    if (name === "" || /%(?![2-7])/.test(encoded) || value.includes("\x7f"))
      throw new BadValue("must be name=value,name=value");
    return [name.toLowerCase(), value];
  };
  return Object.fromEntries(list(header)(text));
};

/** A NATS server: nats://, tls://, ws:// or wss:// with host and port, or host and port alone. */
export const natsServer: Reader<string> = (text) =>
  urlWithLogin("nats", "tls")(text.includes("://") ? text : `nats://${text}`);

/** An exact origin as browsers send it, or `*`. */
export const origin: Reader<string> = (text) => {
  if (text === "*") return text;
  const parsed = /^https?:\/\//.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (parsed === undefined || text.includes("*")) {
    throw new BadValue("must be exact origins like https://app.example.com, or *");
  }
  if (parsed.origin !== text) throw new BadValue(`has an origin that browsers would send as ${parsed.origin}`);
  return text;
};

/** A range of addresses. */
export const cidr: Reader<Cidr> = (text) => {
  const [address = "", length, ...rest] = text.split("/");
  const family = isIP(address);
  const longest = family === 4 ? 32 : 128;
  const prefix = length === undefined ? longest : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (family === 0 || rest.length > 0 || !(prefix <= longest)) {
    throw new BadValue("must be addresses or ranges like 10.0.0.0/8 or fd00::/8");
  }
  return { address, prefix, family: family === 4 ? "ipv4" : "ipv6" };
};

/** `name:scope+scope:secret`. The secret may contain colons. Nothing of the text is repeated in errors. */
export const rpcToken: Reader<RpcToken> = (text) => {
  const [, name = "", scopes = "", secret = ""] = /^([^:]*):([^:]*):([\x21-\x7e]+)$/.exec(text) ?? [];
  if (secret === "") throw new BadValue("must be name:scope+scope:secret");
  if (!/^[A-Za-z0-9_.-]{1,32}$/.test(name)) {
    throw new BadValue("has a token whose name is not 1 to 32 of A-Z a-z 0-9 _ . -");
  }
  const named = scopes.split("+").map((word) => SCOPES.find((scope) => scope === word));
  if (named.includes(undefined)) throw new BadValue(`token ${name} has a scope that is not ${SCOPES.join(", ")}`);
  return { name, scopes: [...new Set(named.filter((scope) => scope !== undefined))], secret };
};

/** RPC tokens between commas or line ends; lines that begin with # are comments. */
export const rpcTokens: Reader<readonly RpcToken[]> = (text) => {
  const lines = text.split(/\r?\n/).filter((line) => !line.trimStart().startsWith("#"));
  return list(rpcToken)(lines.join(","));
};
