import { type FromWorker, TICK_MS, type ToWorker, type WorkerState } from "./messages.ts";

/** A worker's line to its supervisor: the part of cluster.worker that is needed. */
export interface Channel {
  send(message: FromWorker, done: (error: Error | null) => void): unknown;
  on(event: "message", listener: (message: ToWorker) => void): unknown;
}

/**
 * Answers for a worker towards its supervisor: tells its state, hands out its numbers, and stops when it is told to.
 * Returns how to tell the state at once.
 */
export function reportToSupervisor(options: {
  readonly channel: Channel;
  readonly state: () => WorkerState;
  /** Its numbers, in the text format of Prometheus. */
  readonly render: () => Promise<{ readonly text: string }>;
  readonly onStop: () => void;
  /** Hears of what could not be said: the supervisor is gone, and this process about to be. */
  readonly onLost: (error: unknown) => void;
}): () => void {
  const { channel, state, render, onStop, onLost } = options;
  const send = (message: FromWorker): void =>
    void channel.send(message, (error) => {
      if (error !== null) onLost(error);
    });
  const tell = (): void => send({ type: "state", ...state() });
  channel.on("message", (message) => {
    if (message.type === "stop") onStop();
    else render().then(({ text }) => send({ type: "metrics", id: message.id, text }), onLost);
  });
  // What keeps the process alive is what it serves, not that it talks of it.
  setInterval(tell, TICK_MS).unref();
  tell();
  return tell;
}
