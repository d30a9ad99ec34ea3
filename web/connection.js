const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 15_000;
/** Without a welcome by then, the server is waiting for a login. */
const WELCOME_WAIT_MS = 1_500;
/** Close codes after which only a token helps. */
const LOGIN_TIMEOUT = 4006;
const UNAUTHENTICATED = 4501;
const REQUEST_WAIT_MS = 10_000;

/**
 * One WebSocket that comes back: with full jitter, and only after close codes that ask for it. Events: `state` (detail:
 * words for the user), `welcome` (detail: its payload), `login` (a token is wanted), `frame` (detail: a pushed frame).
 */
export class Connection extends EventTarget {
  #username = "";
  #token = "";
  #socket;
  #delay = FIRST_DELAY_MS;
  #timer;
  #waiting = new Map();

  open(username) {
    this.#username = username;
    this.#connect();
  }

  login(token) {
    this.#token = token;
    if (this.#socket.readyState === WebSocket.OPEN) this.#login({ token });
    else this.#connect();
  }

  /** Sends a frame and resolves with the reply's payload; rejects with an Error whose `code` is the error's. */
  request(type, payload) {
    const id = crypto.randomUUID();
    return new Promise((resolve, reject) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) {
        reject(Object.assign(new Error("not connected"), { code: "unavailable" }));
        return;
      }
      const timer = setTimeout(() => this.#settle(id, "error", NO_ANSWER), REQUEST_WAIT_MS);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ type, id, payload }));
    });
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#emit("state", "connecting …");
    const url = new URL("/ws", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.search = new URLSearchParams({ room_id: "", username: this.#username });
    const socket = new WebSocket(url, "baccarat.v1.json");
    this.#socket = socket;
    socket.addEventListener("open", () => this.#onOpen());
    socket.addEventListener("message", ({ data }) => this.#onFrame(JSON.parse(data)));
    socket.addEventListener("close", (event) => this.#onClose(event));
  }

  #onOpen() {
    this.#timer = setTimeout(() => this.#emit("login"), WELCOME_WAIT_MS);
    const session = sessionStorage.getItem("session");
    if (this.#token !== "") this.#login({ token: this.#token });
    else if (session !== null) this.#login({ session });
  }

  async #login(credential) {
    try {
      this.#onWelcome(await this.request("login", credential));
    } catch (error) {
      // A secret of yesterday is no reason to stay out: come again as somebody new.
      sessionStorage.removeItem("session");
      this.#token = "";
      this.#emit("state", `login failed: ${error.message}`);
      this.#socket.close();
    }
  }

  #onFrame({ type, id, payload }) {
    if (id !== undefined) this.#settle(id, type, payload);
    else if (type !== "welcome") this.dispatchEvent(new CustomEvent("frame", { detail: { type, payload } }));
    // With a login under way, the welcome that counts is its reply.
    else if (this.#waiting.size === 0) this.#onWelcome(payload);
  }

  #onWelcome(welcome) {
    clearTimeout(this.#timer);
    this.#delay = FIRST_DELAY_MS;
    if (welcome.session !== "") sessionStorage.setItem("session", welcome.session);
    this.#emit("state", `connected as ${welcome.username}`);
    this.#emit("welcome", welcome);
  }

  #onClose({ code, reason }) {
    clearTimeout(this.#timer);
    for (const id of this.#waiting.keys()) this.#settle(id, "error", NO_ANSWER);
    if (code === LOGIN_TIMEOUT || code === UNAUTHENTICATED) this.#emit("login");
    if (code === LOGIN_TIMEOUT || code >= 4500) {
      this.#emit("state", `closed: ${reason || code}`);
      return;
    }
    const wait = Math.random() * this.#delay;
    this.#delay = Math.min(this.#delay * 2, MAX_DELAY_MS);
    this.#emit("state", `connection lost, back in ${Math.ceil(wait / 1_000)} s`);
    this.#timer = setTimeout(() => this.#connect(), wait);
  }

  #settle(id, type, payload) {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    if (type === "error") waiting.reject(Object.assign(new Error(payload.message), { code: payload.code }));
    else waiting.resolve(payload);
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

const NO_ANSWER = { code: "unavailable", message: "no answer; it may or may not have been done" };
