import { connect } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { bumpEpoch } from "../../../broker/epoch.ts";
import { JetStreamApi } from "../../../broker/nats-api.ts";
import { API_ERROR, ApiError } from "../../../broker/nats-api-error.ts";
import { EPOCH_KEY, isSameCreation } from "../../../broker/nats-epoch.ts";
import { NatsLink } from "../../../broker/nats-link.ts";
import { Requests } from "../../../broker/nats-requests.ts";
import { controlSettings, ensureStream, type StreamAccess } from "../../../broker/nats-stream.ts";
import { parseConfig } from "../../../services/config.ts";
import { room, say, seqsOf } from "../../contract/events.ts";
import { eventually } from "../../support/eventually.ts";
import { GENEROUS, useNats } from "../../support/nats-fixture.ts";
import { NATS_READY_MS } from "../../support/nats-server.ts";

const LOBBY = room("lobby");

/** What opening a broker says, as one string. */
async function refusal(opening: Promise<unknown>): Promise<string> {
  return opening.then(
    () => "opened",
    (error: Error) => `${error.name}: ${error.message}`,
  );
}

/** An API whose streams somebody else creates just before: its server answers as 2.9 does when both come at once. */
class Overtaken extends JetStreamApi {
  creations = 0;

  override async call<T>(path: string, body?: object, withinMs?: number): Promise<T> {
    const answer = await super.call<T>(path, body, withinMs);
    if (!path.startsWith("STREAM.CREATE.")) return answer;
    this.creations++;
    const code = API_ERROR.subjectsOverlap;
    throw new ApiError({ code: 400, err_code: code, description: "subjects overlap with an existing stream" });
  }
}

/** Answers as a server of 2.9 may that was asked by two at once: the stream is there, and not quite created. */
class Halfway extends JetStreamApi {
  asked = 0;
  override async call<T>(path: string, body?: object, withinMs?: number): Promise<T> {
    const answer = await super.call<T>(path, body, withinMs);
    return ++this.asked < 4 ? { ...answer, created: "0001-01-01T00:00:00Z" } : answer;
  }
}

describe("streams", () => {
  const nats = useNats({ size: 1 });

  async function api(path: string, body: object = {}): Promise<Record<string, unknown>> {
    const nc = await connect({ servers: nats.servers.urls });
    nats.onEnd(() => nc.close());
    return (await nc.request(`$JS.API.${path}`, JSON.stringify(body))).json();
  }

  async function requests(): Promise<Requests> {
    const servers = nats.servers.urls;
    const link = await NatsLink.open({ servers, name: "test", openMs: NATS_READY_MS, log: nats.log });
    nats.onEnd(() => link.close(0));
    return new Requests({ link });
  }

  const access = (api: JetStreamApi): StreamAccess => ({
    api,
    log: nats.log,
    owner: true,
    adopt: false,
    deadline: performance.now() + NATS_READY_MS,
  });

  it("are created once, with the settings that history, retries and live delivery rest on", async () => {
    const [broker] = await Promise.all([nats.open(), nats.open()]);
    await say(broker, LOBBY, "hello");
    const { config } = (await api(`STREAM.INFO.${nats.names.logStream}`)) as { config: object };
    expect(config).toMatchObject({
      name: nats.names.logStream,
      subjects: [nats.names.allLog],
      storage: "file",
      discard: "old",
      num_replicas: 1,
      max_msgs_per_subject: -1,
      max_bytes: GENEROUS.maxBytes,
      max_age: GENEROUS.maxAgeMs * 1e6,
      duplicate_window: 150e9,
      republish: { src: nats.names.allLog, dest: nats.names.allLive },
      allow_direct: true,
      deny_delete: false,
    });
  });

  it("with other limits are refused with a list of what differs, and changed when that is wanted", async () => {
    const before = await nats.open();
    const { seq } = await say(before, LOBBY, "hello");
    await before.close();
    const retention = { ...GENEROUS, maxAgeMs: 60_000, maxBytes: 1024 ** 2 };
    expect(await refusal(nats.open({ retention }))).toBe(
      `BrokerOpenError: stream ${nats.names.logStream} exists with other settings: ` +
        "max_age is 3600000000000 and should be 60000000000; max_bytes is 1073741824 and should be 1048576; " +
        "duplicate_window is 150000000000 and should be 60000000000. " +
        "To go on, start once with NATS_ADOPT=1 to change it, or configure what it has",
    );
    const broker = await nats.open({ retention, adopt: true });
    expect(seqsOf((await broker.history(LOBBY, { limit: 10 })).events)).toEqual([seq]);
    expect(broker.epoch).toBe(before.epoch);
    await nats.open({ retention });
  });

  it("that were made for something else are refused even then", async () => {
    await api(`STREAM.CREATE.${nats.names.logStream}`, {
      name: nats.names.logStream,
      subjects: [nats.names.allLog],
      storage: "memory",
    });
    const said = await refusal(nats.open({ adopt: true }));
    expect(said).toContain('storage is "memory" and should be "file"');
    expect(said).toContain("republish is false and should be");
    expect(said).toContain("use another NATS_PREFIX, or delete the stream and with it all history");
  });

  it("whose subjects are another stream's are refused", async () => {
    const config = { name: `${nats.names.logStream}_OLD`, subjects: [nats.names.allLog] };
    await api(`STREAM.CREATE.${config.name}`, config);
    expect(await refusal(nats.open())).toMatch(/^BrokerOpenError: NATS refuses stream \w+: subjects overlap/);
  });

  it("are found when a server of 2.9 takes the same stream, created a moment before, for one in the way", async () => {
    const api = new Overtaken({ requests: await requests() });
    const settings = controlSettings(nats.names, 1);
    expect((await ensureStream(access(api), settings)).config.name).toBe(settings.name);
    expect(api.creations).toBe(1);
  });

  it("are waited for until a server of 2.9 knows when it created them", async () => {
    const api = new Halfway({ requests: await requests() });
    const { created } = await ensureStream(access(api), controlSettings(nats.names, 1));
    expect(Math.abs(Date.parse(created) - Date.now())).toBeLessThan(NATS_READY_MS);
    expect(api.asked).toBe(4);
  });

  it("that do not fit on the server are refused with the server's words", async () => {
    const said = await refusal(nats.open({ retention: { ...GENEROUS, maxBytes: 1024 ** 5 } }));
    expect(said).toMatch(/^BrokerOpenError: NATS refuses stream \w+: .*storage/);
  });

  it("are waited for by a process that may not create them, and not for ever", async () => {
    expect(await refusal(nats.open({ owner: false, openMs: 300 }))).toMatch(
      /^BrokerOpenError: stream \w+: does not exist: is a RoomService running, with the same NATS_PREFIX\?$/,
    );
    const opening = nats.open({ owner: false });
    const owner = await nats.open();
    const edge = await opening;
    expect(edge.epoch).toBe(owner.epoch);
    const { seq } = await say(edge, LOBBY, "hello");
    expect(seqsOf((await owner.history(LOBBY, { limit: 10 })).events)).toEqual([seq]);
  });

  it("of a process that may not create them need not have its limits", async () => {
    await nats.open();
    const edge = await nats.open({ owner: false, retention: { ...GENEROUS, maxBytes: 1024 ** 2 } });
    await say(edge, LOBBY, "hello");
  });

  describe("that are created anew", () => {
    /** Makes the log look created so long ago, as far as the record of its epoch says. */
    async function backdate(ms: number): Promise<void> {
      const broker = await nats.open();
      const entry = await broker.control.get(EPOCH_KEY);
      const identity = JSON.parse(Buffer.from(entry?.value ?? []).toString());
      const created = new Date(Date.parse(identity.created) - ms).toISOString();
      await broker.control.put(EPOCH_KEY, Buffer.from(JSON.stringify({ ...identity, created })));
      await broker.close();
    }

    it("have another epoch, the same for all who open them at once", async () => {
      const { epoch } = await nats.open();
      await backdate(3_600_000);
      const brokers = await Promise.all([nats.open(), nats.open(), nats.open()]);
      const epochs = new Set(brokers.map((broker) => broker.epoch));
      expect(epochs.size).toBe(1);
      expect(epochs).not.toContain(epoch);
      expect((await nats.open({ owner: false })).epoch).toBe(brokers[0]?.epoch);
    });

    it("make a running process unwell for good, which stores nothing in them", async () => {
      await backdate(29_000);
      const broker = await nats.open();
      await say(broker, LOBBY, "hello");
      await api(`STREAM.DELETE.${nats.names.logStream}`);
      await eventually("the loss to be noticed", () => !broker.health().ok);
      await eventually("the log to be another", async () => {
        const again = await nats.open();
        const isAnother = again.epoch !== broker.epoch;
        if (!isAnother) await api(`STREAM.DELETE.${nats.names.logStream}`);
        await again.close();
        return isAnother;
      });
      const reason = await eventually("the new stream to be noticed", () => {
        const health = broker.health();
        return !health.ok && health.reason.includes("created anew") && health.reason;
      });
      expect(reason).toContain("restart this process");
      expect(broker.health()).toMatchObject({ final: true });
      await expect(say(broker, LOBBY, "into the wrong log")).rejects.toMatchObject({ reason: "unavailable" });
      const again = await nats.open();
      expect((await again.history(LOBBY, { limit: 10 })).events).toEqual([]);
    });

    it("have another epoch when an operator says so, which those that run notice", async () => {
      const broker = await nats.open();
      const [prefix = ""] = nats.names.allLog.split(".");
      const parsed = parseConfig({ NATS_URL: nats.servers.urls.join(","), NATS_PREFIX: prefix }, "room");
      if (!parsed.ok) throw new Error(parsed.mistakes.join());
      const { before, after } = await bumpEpoch({ config: parsed.config, log: nats.log });
      expect(before).toBe(broker.epoch);
      expect((await nats.open()).epoch).toBe(after);
      await eventually("the epoch to be noticed", () => !broker.health().ok);
      expect(broker.health()).toEqual({
        ok: false,
        reason: "the log has another epoch by now: positions mean nothing any more, restart this process",
        final: true,
      });
      await expect(say(broker, LOBBY, "into the wrong log")).rejects.toMatchObject({ reason: "unavailable" });
    });

    it("are refused while the record of the epoch cannot be read", async () => {
      const broker = await nats.open();
      await broker.control.put(EPOCH_KEY, Buffer.from("{}"));
      expect(await refusal(nats.open())).toBe("BrokerOpenError: key broker.epoch of the control log holds no epoch");
    });
  });
});

describe("isSameCreation", () => {
  it("allows for the two times that one creation may have", () => {
    const created = "2026-11-23T06:47:20.099634638Z";
    expect(isSameCreation(created, created)).toBe(true);
    expect(isSameCreation(created, "2026-11-23T06:47:20.105091562Z")).toBe(true);
    expect(isSameCreation("2026-11-23T06:47:49Z", created)).toBe(true);
    expect(isSameCreation(created, "2026-11-23T06:48:00Z")).toBe(false);
  });
});

describe("opening", () => {
  const nats = useNats({
    size: 1,
    config: "authorization { users: [ { user: percy, password: sw0rd } ] }",
  });

  it("logs in by what is given, or by what the address holds", async () => {
    await nats.open({ auth: { user: "percy", password: "sw0rd" } });
    await nats.open({ servers: nats.servers.urls.map((url) => `nats://percy:sw0rd@${url}`) });
  });

  it("does not wait when the login is wrong", async () => {
    const said = await refusal(nats.open({ auth: { user: "percy", password: "no" } }));
    expect(said).toMatch(/^BrokerOpenError: NATS refuses the login/);
    expect(said).not.toContain("sw0rd");
  });

  it("says where nobody answers", async () => {
    const said = await refusal(nats.open({ servers: ["nats://u:p@127.0.0.1:1"], openMs: 300 }));
    expect(said).toMatch(/^BrokerOpenError: no NATS server answers within 300 ms at 127\.0\.0\.1:1: /);
  });

  it("finds the server that answers, and keeps the others in mind", async () => {
    const servers = ["127.0.0.1:1", ...nats.servers.urls];
    await nats.open({ servers, auth: { user: "percy", password: "sw0rd" } });
  });
});
