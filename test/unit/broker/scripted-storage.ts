import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { StorageThread } from "../../../broker/embedded-thread.ts";
import type { Logger } from "../../../services/log.ts";
import { recordingLog } from "../../contract/embedded-storage.ts";

/**
 * A storage thread that does what the real one cannot be made to: it does not answer, dies, or fails just once. `onRequest` is
 * JavaScript that may use `request`, `count` (of requests), `answer(request, values of its reads)`, `fail(request)`, and `held`, a
 * list that is answered at a message `go` and failed at a message `fail`.
 */
const program = (onRequest: string): string => `
  const { parentPort } = require("node:worker_threads");
  const post = (message) => parentPort.postMessage(message);
  const held = [];
  let seq = 0, count = 0;
  const reads = (values) => values.map((value) => ({ ok: true, value }));
  const fail = ({ series }) => post({ kind: "answer", written: { ok: false, reason: "series " + series }, reads: [] });
  const answer = (request, values) => {
    const events = new Float64Array((request.events?.rooms ?? []).flatMap(() => [++seq, seq - 1, 0]));
    const written = { ok: true, value: { events } };
    post({ kind: "answer", written, reads: reads(values ?? (request.reads ?? []).map(() => seq)) });
  };
  parentPort.on("message", (request) => {
    if (request === "go") held.splice(0).forEach((one) => answer(one));
    else if (request === "fail") held.splice(0).forEach(fail);
    else if (request.kind === "close") parentPort.close();
    else { count++; ${onRequest} }
  });
`;

/** A StorageThread with a scripted storage at its other end. */
export interface ScriptedStorage {
  readonly worker: Worker;
  readonly thread: StorageThread;
  readonly log: Logger;
  /** What was logged. */
  readonly lines: readonly Record<string, unknown>[];
}

/** Starts one. `stallMs` is a minute by default, so that nothing stalls by accident. */
export async function startScripted(onRequest: string, stallMs = 60_000): Promise<ScriptedStorage> {
  const worker = new Worker(program(onRequest), { eval: true });
  await once(worker, "online");
  const { log, lines } = recordingLog();
  return { worker, thread: new StorageThread({ worker, epoch: "e", log, stallMs }), log, lines };
}
