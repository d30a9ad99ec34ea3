import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { StreamConfig } from "@nats-io/jetstream";
import { createInbox, type Msg } from "@nats-io/transport-node";
import type { JetStreamApi } from "./nats-api.ts";
import { API_ERROR, ApiError, type ApiErrorBody } from "./nats-api-error.ts";
import type { NatsLink } from "./nats-link.ts";
import type { Requests } from "./nats-requests.ts";
import { BrokerOpenError } from "./open-error.ts";

/** What a snapshot is of; kept beside it, and what a restore is asked with. */
interface Snapshot {
  readonly config: Partial<StreamConfig> & { readonly name: string };
  readonly state: { readonly messages: number; readonly bytes: number };
}

/** Hears how many bytes of a stream were written or read, and of how many. */
export type OnBytes = (stream: string, done: number, of: number) => void;

/** Names as `nats stream backup` gives them, so that either tool restores what the other made. */
const FILES = { snapshot: "stream.tar.s2", description: "backup.json" } as const;
const CHUNK_BYTES = 128 * 1024;
/** The server reads the stream from disk in between, and at the end of a restore builds its indexes. */
const SILENT_MS = 60_000;
const FINISH_MS = 600_000;

/**
 * Writes a stream as it is now into a directory of its name, while it is used: the server takes the snapshot, which is packed
 * and so may end before it has as many bytes as the stream.
 * @returns how many messages it has.
 * @throws RoomError unavailable, ApiError, or the system's error when it cannot be written, as when it is there already.
 */
export async function snapshotStream(options: {
  readonly link: NatsLink;
  readonly api: JetStreamApi;
  readonly stream: string;
  readonly directory: string;
  readonly onBytes: OnBytes;
}): Promise<number> {
  const { link, api, stream, onBytes } = options;
  const directory = join(options.directory, stream);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = await open(join(directory, FILES.snapshot), "wx", 0o600);
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  let writing: Promise<unknown> = Promise.resolve();
  const silence = (): void => reject(new Error(`the snapshot of ${stream} does not come`));
  let timer = setTimeout(silence, SILENT_MS);
  const inbox = createInbox();
  let expected = 0;
  let received = 0;
  const stop = link.subscribe(inbox, (msg) => {
    clearTimeout(timer);
    if (msg.data.length === 0) {
      // The end says 204, or why there is one.
      const failed = (msg.headers?.code ?? 0) >= 300;
      if (failed) reject(new Error(`the snapshot of ${stream} broke off: ${msg.headers?.description}`));
      else resolve();
      return;
    }
    timer = setTimeout(silence, SILENT_MS);
    const chunk = Buffer.from(msg.data);
    received += chunk.length;
    // Headers and indexes may make a small stream's snapshot larger than the stream.
    onBytes(stream, Math.min(received, expected), expected);
    // The server sends on as it hears that chunks were taken: none is, before it is written.
    writing = writing.then(() => file.write(chunk)).then(() => msg.respond());
    writing.catch(reject);
  });
  try {
    const request = { deliver_subject: inbox, no_consumers: true, chunk_size: CHUNK_BYTES };
    const { config, state } = await api.call<Snapshot>(`STREAM.SNAPSHOT.${stream}`, request);
    expected = state.bytes;
    await done;
    await writing;
    await file.sync();
    await writeFile(join(directory, FILES.description), JSON.stringify({ config, state }), { mode: 0o600, flag: "wx" });
    return state.messages;
  } finally {
    clearTimeout(timer);
    stop();
    await file.close();
  }
}

/**
 * Makes a stream of what snapshotStream wrote. @param options.replicas how many copies it shall have. Default: as it had.
 * @returns how many messages it has.
 * @throws BrokerOpenError when there is a stream of that name or the server refuses, RoomError unavailable.
 */
export async function restoreStream(options: {
  readonly api: JetStreamApi;
  readonly requests: Requests;
  readonly stream: string;
  readonly directory: string;
  readonly replicas: number | undefined;
  readonly onBytes: OnBytes;
}): Promise<number> {
  const { api, requests, stream, replicas, onBytes } = options;
  const directory = join(options.directory, stream);
  const { config, state } = JSON.parse(await readFile(join(directory, FILES.description), "utf8")) as Snapshot;
  const wanted = { ...config, ...(replicas !== undefined && { num_replicas: replicas }) };
  const subject = await begin(api, stream, { config: wanted, state });
  const file = await open(join(directory, FILES.snapshot), "r");
  try {
    const buffer = Buffer.alloc(CHUNK_BYTES);
    const { size } = await file.stat();
    let sent = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES);
      const last = bytesRead === 0;
      const answer = await send(requests, subject, buffer.subarray(0, bytesRead), last ? FINISH_MS : SILENT_MS);
      sent += bytesRead;
      onBytes(stream, sent, size);
      if (last) return state.messages;
      if (answer.data.length > 0) throw new BrokerOpenError("failed", `${stream} was not restored: ${answer.string()}`);
    }
  } finally {
    await file.close();
  }
}

async function begin(api: JetStreamApi, stream: string, request: Snapshot): Promise<string> {
  try {
    const path = `STREAM.RESTORE.${stream}`;
    return (await api.call<{ deliver_subject: string }>(path, request)).deliver_subject;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const exists = error.errCode === API_ERROR.restoreOverStream;
    const hint = exists ? "there is one; delete it first, or restore into servers without it" : error.message;
    throw new BrokerOpenError("failed", `stream ${stream} cannot be restored: ${hint}`, { cause: error });
  }
}

/** Sends a chunk and waits for its answer: empty for all but the last one. @throws BrokerOpenError */
async function send(requests: Requests, subject: string, chunk: Uint8Array, timeoutMs: number): Promise<Msg> {
  const answer = await new Promise<Msg | string>((resolve) =>
    requests.send(subject, Uint8Array.from(chunk), { timeoutMs }, resolve),
  );
  if (typeof answer === "string") throw new BrokerOpenError("failed", `the restore broke off: ${answer}`);
  const problem = answer.data.length > 0 ? answer.json<{ error?: ApiErrorBody }>().error : undefined;
  if (problem) throw new BrokerOpenError("failed", `the restore failed: ${problem.description ?? problem.code}`);
  return answer;
}
