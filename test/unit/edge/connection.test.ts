import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { Connection } from "../../../edge/connection.ts";
import type { ConnectionHost } from "../../../edge/connection-host.ts";
import { ExpiryWheel } from "../../../edge/expiry-wheel.ts";
import { FanOut } from "../../../edge/fan-out.ts";
import { textFrame } from "../../../edge/frame-encoders.ts";
import { Heartbeat } from "../../../edge/heartbeat.ts";
import type { Authenticator, Identity } from "../../../edge/identity.ts";
import { RateLimits } from "../../../edge/rate-limits.ts";
import { RoomError } from "../../../services/errors.ts";
import type { Uid } from "../../../services/ids.ts";
import { DEFAULT_LIMITS, FIXED } from "../../../services/limits.ts";
import { Metrics } from "../../../services/metrics.ts";
import { eventually } from "../../support/eventually.ts";
import { quietLog } from "../services/room/replica.ts";
import { connectPair } from "./socket-pair.ts";

const ANN: Identity = {
  user: { kind: "user", uid: "ann" as Uid, username: "Ann", avatarId: "", guest: false, roles: [], rooms: undefined },
  sid: "",
  provisional: false,
  proof: { tokenId: "", issuedAtMs: 0 },
  token: undefined,
};

/** Lets in whoever knows the token. */
const TOKENS: Authenticator = {
  identify: ({ bearer }) => {
    if (bearer === "forged") throw new RoomError("unauthenticated", "forged");
    return Promise.resolve(bearer === "good" ? ANN : undefined);
  },
  login: ({ token }) => {
    if (token !== "good") throw new RoomError("unauthenticated", "no such token");
    return Promise.resolve(ANN);
  },
  secretOf: () => "",
};

async function open(bearer?: string) {
  const pair = await connectPair();
  const events: string[] = [];
  const fanOut = new FanOut();
  const heartbeat = new Heartbeat();
  const expiries = new ExpiryWheel();
  const host: ConnectionHost = {
    limits: DEFAULT_LIMITS,
    fanOut,
    heartbeat,
    expiries,
    authenticator: TOKENS,
    frameRate: { perSecond: 20, burst: 40, maxWaitMs: 5_000 },
    userRates: new RateLimits({ perSecond: 1_000, burst: 1_000, maxWaitMs: 0 }),
    metrics: new Metrics(),
    log: quietLog(),
    welcome: () => undefined,
    onOpen: (connection, greeting) => {
      const { uid } = connection.user;
      connection.send(JSON.stringify({ type: "welcome", id: greeting?.id, payload: uid }));
      events.push("open");
      return Promise.resolve();
    },
    execute: (_connection, { type }) => {
      events.push(type);
    },
    onEnd: (_connection, code) => events.push(`end ${code}`),
    onGone: () => undefined,
  };
  const accepted = {
    ok: true,
    roomId: undefined,
    username: "",
    avatarId: "",
    bearer,
    session: undefined,
    address: "",
  } as const;
  const connection = new Connection({ id: "c1", ...pair, accepted, host });
  onTestFinished(() => {
    heartbeat.close();
    expiries.close();
    fanOut.close();
  });
  void connection.start(accepted);
  const answers = () =>
    pair.received.map((text) => JSON.parse(text) as { type: string; id?: string; payload: { code?: string } });
  const send = (type: string, id: string, payload: object = {}) =>
    pair.client.send(JSON.stringify({ type, id, payload }));
  return { ...pair, connection, events, answers, send };
}

afterEach(() => {
  vi.useRealTimers();
});

describe("a connection that must log in", () => {
  it("answers nothing else before, and takes part afterwards", async () => {
    const { events, answers, send } = await open();
    send("ping", "1");
    send("login", "3", { token: "good" });
    send("ping", "4");
    await eventually("the ping after the login", () => events.length === 2 && answers().length === 2);
    expect(answers().map(({ type, id, payload }) => `${type} ${id} ${payload.code ?? payload}`)).toEqual([
      "error 1 unauthenticated",
      "welcome 3 ann",
    ]);
    expect(events).toEqual(["open", "ping"]);
  });

  it("needs no login when its request proves who it is", async () => {
    const { events, answers, send } = await open("good");
    await eventually("the welcome", () => answers().length === 1);
    send("ping", "1");
    await eventually("the ping", () => events.length === 2);
    expect(events).toEqual(["open", "ping"]);
  });

  it("is closed for good when its request proves nothing", async () => {
    const { events, closed } = await open("forged");
    expect(await closed).toBe(4501);
    expect(events).toEqual(["end 4501"]);
  });

  it("is answered and then closed for good when its login is refused", async () => {
    const { events, answers, send, closed } = await open();
    send("login", "1", { token: "bad" });
    expect(await closed).toBe(4501);
    expect(answers().map(({ type, id, payload }) => `${type} ${id} ${payload.code}`)).toEqual([
      "error 1 unauthenticated",
    ]);
    expect(events).toEqual(["end 4501"]);
  });

  it("is closed 30 s after its token has expired, unless it brought another", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "Date"] });
    const { connection, events, closed } = await open("good");
    await eventually("the connection to take part", () => events.length === 1);
    const until = (ms: number) => ({ ...ANN, token: { tokenId: "", issuedAtMs: 0, expiresAtMs: Date.now() + ms } });
    connection.relogin(until(5_000));
    connection.relogin(until(10_000));
    vi.advanceTimersByTime(39_000);
    expect(connection.isOpen).toBe(true);
    vi.advanceTimersByTime(2_000);
    expect(await closed).toBe(4005);
  });

  it("is closed when it does not log in within 10 s", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    const { events, closed } = await open();
    await vi.advanceTimersByTimeAsync(9_999);
    expect(events).toEqual([]);
    await vi.advanceTimersByTimeAsync(2);
    expect(await closed).toBe(4006);
  });
});

describe("a connection whose client says goodbye", () => {
  it("is sent what was said before, and nothing behind the Close frame that answers its own", async () => {
    const { client, connection, closed, events, webSocket, socket, received } = await open("good");
    await eventually("the connection to take part", () => events.length === 1 && received.length === 1);
    const onMessage = connection.onMessage.bind(connection);
    vi.spyOn(connection, "onMessage").mockImplementationOnce((data, isBinary) => {
      onMessage(data, isBinary);
      connection.outbox.push(textFrame("last words"));
    });
    client.send(JSON.stringify({ type: "ping", id: "1" }));
    client.close(1000);
    await eventually("the goodbye", () => webSocket.readyState !== webSocket.OPEN);
    expect(connection.outbox.isOpen).toBe(false);
    const { bytesWritten } = socket;
    connection.outbox.push(textFrame("too late"));
    connection.outbox.write(textFrame("too late"));
    expect({ lossy: connection.outbox.lossy, bytesWritten: socket.bytesWritten }).toEqual({
      lossy: false,
      bytesWritten,
    });
    expect(await closed).toBe(1000);
    expect(received).toEqual(expect.arrayContaining(["last words"]));
  });
});

describe.each(["ping", "pong"] as const)("%ss of a client", (kind) => {
  it(`may be ${FIXED.controlFrameBurst} at once, and not many more`, async () => {
    const { client, connection, closed, webSocket } = await open("good");
    const emit = vi.spyOn(webSocket, "emit");
    for (let index = 0; index < FIXED.controlFrameBurst; index++) client[kind]("x");
    const heard = () => emit.mock.calls.filter(([event]) => event === kind).length;
    await eventually("all of them", () => heard() === FIXED.controlFrameBurst);
    expect(connection.isOpen).toBe(true);
    // Those that were sent while the first came may have got their tokens back.
    for (let index = 0; index < FIXED.controlFrameBurst; index++) client[kind]("x");
    expect(await closed).toBe(4004);
  });
});
