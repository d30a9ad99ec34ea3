import { once } from "node:events";
import { connect, isIP, type Socket } from "node:net";
import * as tls from "node:tls";

/** Who asks; undefined fields are not sent. */
export interface NatsLogin {
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly token: string | undefined;
}

/** TLS towards it, as PEM text; undefined fields: the system's authorities, no certificate. */
export interface NatsProbeTls {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/** What a server says of itself. */
export interface NatsReport {
  readonly name: string;
  readonly version: string;
  readonly jetstream: boolean;
  /** Name of its cluster; undefined when it is alone. */
  readonly cluster: string | undefined;
  /** Streams asked about, by name; undefined: there is no such stream. */
  readonly streams: ReadonlyMap<string, StreamReport | undefined>;
}

/** What a server says of a stream. */
export interface StreamReport {
  readonly replicas: number;
  /** Copies that are up to date, the leader's included. */
  readonly current: number;
  readonly messages: number;
}

interface Info {
  readonly server_name: string;
  readonly version: string;
  readonly jetstream?: boolean;
  readonly cluster?: string;
  readonly tls_required?: boolean;
  readonly tls_available?: boolean;
}

interface StreamInfo {
  readonly error?: { readonly code: number; readonly description: string };
  readonly config?: { readonly num_replicas: number };
  readonly state?: { readonly messages: number };
  readonly cluster?: { readonly leader?: string; readonly replicas?: readonly { readonly current: boolean }[] };
}

/**
 * Asks one NATS server what it is and what it knows of some streams. It speaks the protocol itself, since only the
 * broker knows the client library; a few lines of text do.
 * @param files for TLS, which is spoken with servers that can; with any of `ca` and `cert`, or by tls://, it is a must.
 * @throws Error saying what is wrong: no answer, a refused login, a certificate that is not trusted.
 */
export async function probeNats(
  server: URL,
  login: NatsLogin,
  files: NatsProbeTls,
  streams: readonly string[],
  signal: AbortSignal,
): Promise<NatsReport> {
  const host = server.hostname.replace(/^\[|\]$/g, "");
  let socket: Socket = connect({ host, port: Number(server.port || 4222) });
  const giveUp = (): void => void socket.destroy(new Error("it does not answer"));
  signal.addEventListener("abort", giveUp);
  try {
    await once(socket, "connect");
    let lines = new Lines(socket);
    const info = JSON.parse((await lines.next("INFO ")).slice(5)) as Info;
    const wantsTls = server.protocol === "tls:" || (files.ca ?? files.cert) !== undefined;
    const hasTls = info.tls_required === true || info.tls_available === true;
    if (wantsTls && !hasTls) throw new Error("it has no TLS, which the settings ask for");
    if (hasTls) {
      await lines.release();
      socket = tls.connect({ socket, host, ...(isIP(host) === 0 && { servername: host }), ...files });
      await once(socket, "secureConnect");
      lines = new Lines(socket);
    }
    socket.write(`CONNECT ${JSON.stringify(handshake(server, login))}\r\nPING\r\n`);
    await lines.next("PONG");
    const known = new Map<string, StreamReport | undefined>();
    if (info.jetstream) for (const stream of streams) known.set(stream, await askStream(socket, lines, stream));
    const { server_name: name, version, jetstream = false, cluster } = info;
    return { name, version, jetstream, cluster, streams: known };
  } finally {
    signal.removeEventListener("abort", giveUp);
    socket.destroy();
  }
}

function handshake(server: URL, { user, password, token }: NatsLogin): object {
  const inUrl = server.username === "" ? undefined : decodeURIComponent(server.username);
  const passInUrl = server.password === "" ? undefined : decodeURIComponent(server.password);
  return {
    verbose: false,
    pedantic: false,
    lang: "node",
    version: "1",
    name: "roomctl doctor",
    protocol: 1,
    headers: true,
    no_responders: true,
    user: user ?? inUrl,
    pass: password ?? passInUrl,
    auth_token: token,
  };
}

async function askStream(socket: Socket, lines: Lines, stream: string): Promise<StreamReport | undefined> {
  const inbox = `_INBOX.${crypto.randomUUID()}`;
  socket.write(`SUB ${inbox} 1\r\nUNSUB 1 1\r\nPUB $JS.API.STREAM.INFO.${stream} ${inbox} 0\r\n\r\n`);
  const head = await lines.next("MSG ", "HMSG ");
  // A message with headers and without payload says that nobody answers for JetStream.
  if (head.startsWith("HMSG")) throw new Error("JetStream does not answer: the cluster has no leader");
  const { error, config, state, cluster } = JSON.parse(await lines.next("")) as StreamInfo;
  if (error?.code === 404) return undefined;
  if (error !== undefined) throw new Error(`JetStream says: ${error.description}`);
  const followers = cluster?.replicas?.filter((replica) => replica.current).length ?? 0;
  return { replicas: config?.num_replicas ?? 1, current: followers + 1, messages: state?.messages ?? 0 };
}

/** Lines of the protocol, one after the other. Payloads that are asked for are JSON, which has no line breaks here. */
class Lines {
  readonly #iterator: AsyncIterator<Buffer>;
  #text = "";

  constructor(socket: Socket) {
    this.#iterator = socket.iterator({ destroyOnReturn: false });
  }

  /** Leaves the socket to somebody else. */
  async release(): Promise<void> {
    await this.#iterator.return?.();
  }

  /** The next line that begins in one of these ways; pings and other small talk are passed over. */
  async next(...beginnings: readonly string[]): Promise<string> {
    for (;;) {
      const line = await this.#line();
      if (line.startsWith("-ERR")) throw new Error(`it refuses: ${line.slice(5)}`);
      if (beginnings.some((beginning) => line.startsWith(beginning))) return line;
    }
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#text.indexOf("\r\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        return line;
      }
      const { done, value } = await this.#iterator.next();
      if (done) throw new Error("it closed the connection");
      this.#text += value.toString("utf8");
    }
  }
}
