import type { WebSocketConstructor, WebSocketLike } from "../../client/src/index.ts";

/** A line that can be cut: give its `WebSocket` to a client, and that client's connection is in your hand. */
export class Line {
  /** For RoomClientOptions. */
  readonly WebSocket: WebSocketConstructor;
  readonly #sockets = new Set<LineSocket>();
  #isCut = false;

  constructor() {
    const line: LineHost = { isCut: () => this.#isCut, sockets: this.#sockets };
    this.WebSocket = class extends LineSocket {
      constructor(url: string, protocols?: string | string[]) {
        super(line, url, protocols);
      }
    };
  }

  /** True between cut and restore. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Breaks the connection without a goodbye, and keeps every later one from coming about. */
  cut(): void {
    this.#isCut = true;
    for (const socket of [...this.#sockets]) socket.tear();
  }

  /** Lets connections through again. */
  restore(): void {
    this.#isCut = false;
  }
}

interface LineHost {
  readonly isCut: () => boolean;
  readonly sockets: Set<LineSocket>;
}

/** A WebSocket that may be torn. */
class LineSocket implements WebSocketLike {
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  readonly #host: LineHost;
  readonly #socket: WebSocket | undefined;
  #torn = false;

  constructor(host: LineHost, url: string, protocols?: string | string[]) {
    this.#host = host;
    if (host.isCut()) {
      setTimeout(() => this.tear());
      return;
    }
    const socket = new WebSocket(url, protocols);
    this.#socket = socket;
    host.sockets.add(this);
    socket.onopen = (event) => this.onopen?.(event as never);
    socket.onmessage = (event) => this.onmessage?.(event as never);
    socket.onerror = (event) => this.onerror?.(event as never);
    socket.onclose = (event) => this.#end(event);
  }

  get readyState(): number {
    return this.#torn ? WebSocket.CLOSED : (this.#socket?.readyState ?? WebSocket.CONNECTING);
  }

  send(data: string): void {
    if (!this.#torn) this.#socket?.send(data);
  }

  close(code?: number, reason?: string): void {
    if (this.#socket) this.#socket.close(code, reason);
    else this.tear();
  }

  /** Ends as a connection does whose network is gone: nothing more comes, and there is no close code. */
  tear(): void {
    if (this.#torn) return;
    const socket = this.#socket;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onerror = socket.onclose = null;
      socket.close(TORN, "cut");
    }
    this.#end({ code: NO_CLOSE_CODE, reason: "" });
  }

  #end(event: { readonly code: number; readonly reason: string }): void {
    this.#torn = true;
    this.#host.sockets.delete(this);
    this.onclose?.(event as never);
  }
}

/** Not 1000: for the server this is no goodbye, so the membership lasts through the grace period. */
const TORN = 4000;
const NO_CLOSE_CODE = 1006;
