import { Code, ConnectError, type Transport } from "@connectrpc/connect";

/** A transport that can be cut, as a network can. */
export class SwitchedTransport implements Transport {
  readonly #transport: Transport;
  #cut: AbortController | undefined = new AbortController();

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Ends every stream, and refuses new ones until restored. */
  cut(): void {
    this.#cut?.abort();
    this.#cut = undefined;
  }

  restore(): void {
    this.#cut ??= new AbortController();
  }

  unary: Transport["unary"] = (...call) => this.#transport.unary(...call);

  stream: Transport["stream"] = (method, signal, ...rest) => {
    if (this.#cut === undefined) return Promise.reject(new ConnectError("cut", Code.Unavailable));
    const signals = [this.#cut.signal, ...(signal ? [signal] : [])];
    return this.#transport.stream(method, AbortSignal.any(signals), ...rest);
  };
}
