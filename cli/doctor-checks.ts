import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Config } from "../services/config.ts";
import { judgeNatsVersion } from "../services/nats-version.ts";
import { type NatsReport, probeNats, type StreamReport } from "./nats-probe.ts";
import type { Session } from "./session.ts";
import { count } from "./text.ts";

/** Something doctor looked at. */
export interface Check {
  readonly name: string;
  readonly state: "ok" | "warning" | "failure";
  readonly found: string;
  /** What to do; empty when nothing is to be done. */
  readonly advice: string;
}

/** How long one look may take, in milliseconds. */
const LOOK_MS = 5_000;
/** Clocks that differ by more make tokens fail: the leeway is 30 s. */
const SKEW_MS = 10_000;
/** The Date header has no fractions of a second. */
const DATE_MS = 1_000;
/** An edge renews its lease every 3 s and loses it after 10 s. */
const STALE_LEASE_MS = 10_000;
/** What an edge answers to a request for its WebSocket that asks for none. */
const UPGRADE_REQUIRED = 426;

/** Does RoomService answer, and does the token read? */
export async function checkRpc(session: Session): Promise<Check[]> {
  const from = performance.now();
  const { clients, rooms, edges, epoch } = await session.admin.getStats({}, session.call);
  const ms = Math.round(performance.now() - from);
  const found = `${session.url} answers in ${ms} ms: ${[count(clients, "client"), count(rooms, "room"), count(edges, "edge")].join(", ")}, epoch ${epoch}`;
  return [{ name: "RPC", state: "ok", found, advice: "" }];
}

/** Is the process ready? */
export async function checkOps(session: Session, ops: string): Promise<Check[]> {
  const response = await ask(session, `${ops}/readyz`);
  if (response instanceof Error) {
    const advice = "--ops says where it is; it listens on OPS_HOST:OPS_PORT, of the same machine only by default";
    return [{ name: "readiness", state: "warning", found: `${ops} does not answer: ${response.message}`, advice }];
  }
  if (response.ok) return [{ name: "readiness", state: "ok", found: `${ops} is ready`, advice: "" }];
  const { reasons = [] } = (await response.json().catch(() => ({}))) as { reasons?: readonly string[] };
  const found = `${ops} is not ready: ${reasons.join("; ") || response.statusText}`;
  return [{ name: "readiness", state: "failure", found, advice: "the process's log says more" }];
}

/** Does what listens where clients connect take WebSockets? */
export async function checkPort(session: Session, edge: string): Promise<Check[]> {
  const name = "edge port";
  const response = await ask(session, `${edge}/ws`);
  if (response instanceof Error) {
    const advice =
      "--edge says where clients connect; an edge listens on EDGE_HOST:EDGE_PORT, of the same machine only by default";
    return [{ name, state: "warning", found: `${edge} does not answer: ${response.message}`, advice }];
  }
  if (response.status === UPGRADE_REQUIRED) {
    return [{ name, state: "ok", found: `${edge}/ws takes WebSockets`, advice: "" }];
  }
  const found = `${edge}/ws answers ${response.status}, not that it takes WebSockets`;
  const advice = "something else listens there, or a proxy on the way does not let WebSockets through";
  return [{ name, state: "failure", found, advice }];
}

/** Do this clock and the server's agree? */
export async function checkClock(session: Session, ops: string): Promise<Check[]> {
  const before = Date.now();
  const response = await ask(session, `${ops}/livez`);
  if (response instanceof Error) return [];
  const theirs = Date.parse(response.headers.get("date") ?? "");
  if (Number.isNaN(theirs)) return [];
  // The header was written at some moment between the two, and cut to the second.
  const ahead = theirs - Date.now();
  const behind = before - theirs - DATE_MS;
  const skew = Math.max(0, ahead, behind);
  if (skew > SKEW_MS) {
    const found = `this clock and the server's differ by ${Math.round(skew / 1_000)} s or more`;
    return [
      { name: "clock", state: "failure", found, advice: "synchronise both (NTP): tokens are refused beyond 30 s" },
    ];
  }
  return [{ name: "clock", state: "ok", found: "this clock and the server's agree", advice: "" }];
}

/** Is there an edge, and is each alive? */
export async function checkEdges(session: Session): Promise<Check[]> {
  const { edges } = await session.admin.listEdges({}, session.call);
  if (edges.length === 0) {
    const advice =
      "start one (npm run start:edge): NATS_URL as here, ROOM_SERVICE_URL and ROOM_SERVICE_TOKEN for this RoomService";
    return [{ name: "edges", state: "failure", found: "no edge is alive: nobody can connect", advice }];
  }
  return edges.map(({ edgeId, connections, draining, renewTime }): Check => {
    const age = renewTime === undefined ? 0 : Date.now() - timestampMs(renewTime);
    const found = `edge ${edgeId} holds ${count(connections, "connection")}`;
    if (Math.abs(age) > STALE_LEASE_MS) {
      const seconds = Math.round(age / 1_000);
      const advice = "its clock is wrong, or it cannot reach the broker: its log says which";
      return { name: "edges", state: "warning", found: `${found}, but renewed its lease ${seconds} s ago`, advice };
    }
    if (draining) {
      return {
        name: "edges",
        state: "warning",
        found: `${found} and is draining`,
        advice: "restart it to take clients again",
      };
    }
    return { name: "edges", state: "ok", found, advice: "" };
  });
}

/** Is every NATS server there, new enough, and does it keep the copies it should? */
export async function checkNats(session: Session, config: Config, servers: readonly string[]): Promise<Check[]> {
  const { natsPrefix, natsReplicas, natsCreds, natsUser: user, natsPassword: password, natsToken: token } = config;
  if (natsCreds !== undefined) {
    const found = "NATS_CREDS is set, and doctor cannot log in with it";
    return [{ name: "NATS", state: "warning", found, advice: "/readyz of the processes tells whether they can" }];
  }
  const files = { ca: config.natsTlsCa, cert: config.natsTlsCert, key: config.natsTlsKey };
  const streams = [`${natsPrefix.toUpperCase()}_LOG`, `KV_${natsPrefix}_control`];
  const checks: Check[] = [];
  for (const server of servers) {
    const url = new URL(server);
    const { host } = url;
    const signal = AbortSignal.any([session.shell.signal, AbortSignal.timeout(LOOK_MS)]);
    try {
      const report = await probeNats(url, { user, password, token }, files, streams, signal);
      checks.push(judgeServer(host, report, config.natsMinClusterVersion));
      // Every server tells the same of the streams: the first will do.
      if (checks.every(({ name }) => name !== "NATS streams")) checks.push(...judgeStreams(report, natsReplicas));
    } catch (error) {
      const found = `${host}: ${(error as Error).message}`;
      checks.push({ name: "NATS", state: "failure", found, advice: "is the server running, and is NATS_URL right?" });
    }
  }
  return checks;
}

/** What there is to say of one server. `minClusterVersion` is the oldest that may be in a cluster. */
export function judgeServer(
  host: string,
  { name, version, jetstream, cluster }: NatsReport,
  minClusterVersion: string,
): Check {
  const found = `${host} is ${name}, version ${version}, ${cluster === undefined ? "alone" : `in cluster ${cluster}`}`;
  if (!jetstream) {
    return {
      name: "NATS",
      state: "failure",
      found: `${found}, without JetStream`,
      advice: "start it with -js or jetstream {}",
    };
  }
  const finding = judgeNatsVersion({ version, clustered: cluster !== undefined }, minClusterVersion);
  return { name: "NATS", state: finding?.state ?? "ok", found, advice: finding?.text ?? "" };
}

function judgeStreams({ cluster, streams }: NatsReport, wanted: number | undefined): Check[] {
  const replicas = wanted ?? (cluster === undefined ? 1 : 3);
  return [...streams].map(([name, stream]) => judgeStream(name, stream, replicas));
}

function judgeStream(stream: string, report: StreamReport | undefined, wanted: number): Check {
  const name = "NATS streams";
  if (report === undefined) {
    const advice = "a process of role room or all creates it when it starts; is NATS_PREFIX right?";
    return { name, state: "failure", found: `there is no stream ${stream}`, advice };
  }
  const { replicas, current, messages } = report;
  const found = `${stream} has ${messages} messages, ${current} of ${replicas} copies are up to date`;
  if (current < replicas) {
    return { name, state: "warning", found, advice: "a server is down or catching up: nats server report jetstream" };
  }
  if (replicas < wanted) {
    const advice = `${wanted} copies survive the loss of a server: nats stream edit ${stream} --replicas ${wanted}`;
    return { name, state: "warning", found, advice };
  }
  return { name, state: "ok", found, advice: "" };
}

async function ask(session: Session, url: string): Promise<Response | Error> {
  try {
    const signal = AbortSignal.any([session.shell.signal, AbortSignal.timeout(LOOK_MS)]);
    return await fetch(url, { signal });
  } catch (error) {
    // fetch hides what happened in the cause.
    const { cause } = error as Error;
    return cause instanceof Error ? cause : (error as Error);
  }
}
