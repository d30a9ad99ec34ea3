/**
 * Every number that bounds something, in one place. FIXED numbers are part of the protocol: clients may rely on them.
 * LIMIT_TABLE are the operator's: each is an environment variable of the same name in capitals (maxFrameBytes is
 * MAX_FRAME_BYTES). None may be 0, and there is no "unlimited".
 */
export const FIXED = {
  /** Longest text of a message, in Unicode code points. */
  messageChars: 4_000,
  /** Longest image_url, in characters. */
  imageUrlChars: 2_048,
  /** Longest display name, avatar id, `from`, frame id and client_msg_id, in characters. */
  nameChars: 64,
  /** Largest JSON of a custom event, in bytes of UTF-8. */
  customEventBytes: 32 * 1024,
  /** Keys of a room's snapshot, and bytes of JSON under them together. */
  snapshotKeys: 16,
  snapshotBytes: 256 * 1024,
  /** Most events in a history page or a recovery. */
  historyEvents: 300,
  /** Most bytes of stored events in a history page or a recovery. */
  historyBytes: 256 * 1024,
  /** Events in a get_history without a limit, and in a ListMessages without a page_size. */
  historyDefault: 50,
  /** Most members in room_joined; a room above this size reports members_changed … */
  membersShown: 100,
  /** … until it is below this size again. */
  membersShownAgain: 80,
  /** Most users named in each list of a members_changed. */
  membersSampled: 10,
  /** Largest page of an RPC list. */
  pageSize: 1_000,
  /** Page of members or clients without a page_size. */
  pageDefault: 100,
  /** Page of rooms without a page_size. */
  roomPageDefault: 50,
  /** Conversations in welcome, and in a get_conversations without a page_size. */
  conversationsShown: 50,
  /** Most direct events delivered after welcome to somebody who was away. */
  directEvents: 100,
  /** How long welcome waits for conversations and missed messages, in milliseconds. */
  welcomeMs: 3_000,
  /** How often it is stored up to where users have their direct messages, in milliseconds; the promise is twice this. */
  cursorMs: 5_000,
  /** Users one user may have blocked. */
  blocksPerUser: 1_000,
  /** Longest room title, in characters. */
  titleChars: 128,
  /** Most metadata keys of a room, and the longest key and value in characters. */
  metadataKeys: 64,
  metadataKeyChars: 64,
  metadataValueChars: 1_024,
  /** Greatest slow mode, in milliseconds. */
  slowModeMs: 3_600_000,
  /** Least, greatest and default time between two events of one snapshot key in a room that conflates, in milliseconds. */
  conflationMinMs: 100,
  conflationMaxMs: 10_000,
  conflationMs: 1_000,
  /** Bytes waiting for a client above which it counts as behind, in a room that tells such members less. */
  behindBytes: 32 * 1024,
  /** Longest reason that a moderator or an operator gives, in characters. */
  reasonChars: 256,
  /** Longest ban or mute that ends by itself, in milliseconds: ten years. */
  sanctionMs: 3_650 * 24 * 3_600_000,
  /** Most bans of a room, most mutes, and most invitations. */
  sanctionsPerRoom: 10_000,
  /** What the audit log keeps: so many newest events, for so long, in milliseconds. */
  auditEvents: 10_000,
  auditMs: 90 * 24 * 3_600_000,
  /** Most revocations of tokens in force at once, and how long each is, in milliseconds: tokens must not live longer. */
  revocations: 10_000,
  revocationMs: 7 * 24 * 3_600_000,
  /** Deepest nesting of a frame: JSON.stringify and recursive checks fail at about 5,000, attackers send more. */
  frameDepth: 32,
  /** Most fragments of one WebSocket message (CVE-2026-48779). */
  frameFragments: 1_000,
  /** Pings and pongs a client may send at once, and per second after that; more close with 4004. */
  controlFrameBurst: 50,
  controlFramesPerSecond: 10,
  /** Bad frames within badFrameWindowMs that end a connection (4500). */
  badFrames: 10,
  badFrameWindowMs: 10_000,
  /** Least time between two typing frames of one connection in one room, in milliseconds. */
  typingMs: 2_000,
  /** How often the server pings, and after how long without a byte it closes with 4002, in milliseconds. */
  heartbeatMs: 8_000,
  heartbeatTimeoutMs: 20_000,
  /** How long a member whose connection broke stays a member, counted from its last byte, in milliseconds. */
  graceMs: 10_000,
  /** How often an edge renews its lease, and how long a lease lasts, in milliseconds. */
  leaseRenewMs: 3_000,
  leaseMs: 10_000,
  /** How long a guest's session secret is good, in milliseconds. */
  sessionMs: 24 * 3_600_000,
  /** How long the automatic join waits for a first frame, so that login.session makes no second guest, in milliseconds. */
  autoJoinWaitMs: 250,
  /** How long a publish or a command to RoomService may take before it is `unavailable`, in milliseconds. */
  requestMs: 5_000,
  /** Deadline of an RPC that names none, and the longest it may name, in milliseconds. */
  rpcMs: 30_000,
  /** Largest RPC message, in bytes. */
  rpcBytes: 1024 * 1024,
} as const;

/** A limit the operator sets. */
export interface LimitRow {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly meaning: string;
}

export const LIMIT_TABLE = {
  maxFrameBytes: {
    default: 65_536,
    min: 1_024,
    max: 1_048_576,
    meaning: "largest WebSocket message a client may send, in bytes; more closes with 1009",
  },
  messagesPerSecond: {
    default: 20,
    min: 1,
    max: 1_000_000,
    meaning: "frames per second of one connection, sustained; above it the socket is paused, then rate_limited",
  },
  messageBurst: { default: 40, min: 1, max: 1_000_000, meaning: "frames a connection may send at once" },
  messagesPerSecondPerUser: {
    default: 60,
    min: 1,
    max: 1_000_000,
    meaning:
      "frames per second of one user over all connections to one edge, sustained; above it as for one connection",
  },
  messageBurstPerUser: {
    default: 120,
    min: 1,
    max: 1_000_000,
    meaning: "frames a user may send at once over all connections to one edge",
  },
  joinsPerSecond: {
    default: 5,
    min: 1,
    max: 1_000_000,
    meaning: "joins and changes of room per second of one user at one edge, sustained; more are rate_limited",
  },
  joinBurst: {
    default: 256,
    min: 1,
    max: 1_000_000,
    meaning: "joins and changes of room of one user at once: all rooms of two devices that come back together",
  },
  upgradesPerSecondPerIp: {
    default: 100,
    min: 1,
    max: 1_000_000,
    meaning: "upgrades per second from one address (IPv6: one /64), sustained, refused ones too; more are answered 429",
  },
  upgradeBurstPerIp: {
    default: 1_000,
    min: 1,
    max: 1_000_000,
    meaning: "upgrades at once from one address: everybody behind one router coming back after a restart",
  },
  maxEventLoopLagMs: {
    default: 200,
    min: 10,
    max: 60_000,
    meaning: "how late the event loop may be, in milliseconds, before new connections are refused with 503",
  },
  maxConnections: {
    default: 20_000,
    min: 1,
    max: 1_000_000,
    meaning: "connections of one edge; more are refused with 503",
  },
  maxConnectionsPerIp: {
    default: 1_000,
    min: 1,
    max: 1_000_000,
    meaning: "connections from one address to one edge; more are refused with 429",
  },
  maxConnectionsPerUser: {
    default: 20,
    min: 1,
    max: 10_000,
    meaning: "connections of one user in the cluster; the newest is closed with 4505",
  },
  maxRoomsPerConnection: {
    default: 128,
    min: 1,
    max: 10_000,
    meaning: "rooms one connection may be in; more are too_many_rooms",
  },
  maxMembersPerRoom: {
    default: 100_000,
    min: 1,
    max: 10_000_000,
    meaning: "members of a room without a capacity of its own; more are room_full",
  },
  maxSnapshotBytes: {
    default: 268_435_456,
    min: 262_144,
    max: 8_589_934_592,
    meaning:
      "bytes of data in all rooms' snapshots together, which every RoomService keeps in memory; more are refused",
  },
  newConversationsPerMinute: {
    default: 10,
    min: 1,
    max: 1_000_000,
    meaning: "direct conversations one user may begin within a minute; more are rate_limited",
  },
  maxOutboxBytes: {
    default: 1_048_576,
    min: 65_536,
    max: 67_108_864,
    meaning: "bytes waiting for one connection that does not read; it is closed with 4001 when they do not drain",
  },
  maxPublishesInFlight: {
    default: 32,
    min: 1,
    max: 10_000,
    meaning: "publishes of one connection that wait to be stored; its socket is paused meanwhile",
  },
  maxQueuedFrames: {
    default: 256,
    min: 1,
    max: 100_000,
    meaning: "frames of one connection that wait for an earlier one; its socket is paused meanwhile",
  },
} as const satisfies Record<string, LimitRow>;

/** The operator's limits, by name. */
export type Limits = { readonly [K in keyof typeof LIMIT_TABLE]: number };

/** The limits when nothing is configured. */
export const DEFAULT_LIMITS: Limits = Object.freeze(
  Object.fromEntries(Object.entries(LIMIT_TABLE).map(([name, row]) => [name, row.default])) as {
    [K in keyof Limits]: number;
  },
);

/** Length in Unicode code points, as the contract counts characters. */
export function characters(text: string): number {
  let count = text.length;
  for (let index = 0; index < text.length - 1; index++) {
    if (isHighSurrogate(text.charCodeAt(index)) && isLowSurrogate(text.charCodeAt(index + 1))) {
      count--;
      index++;
    }
  }
  return count;
}

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;
