/**
 * A connection to the server that lasts: when it breaks, it is made again.
 *
 *     import { Connection } from "./client.js";
 *
 *     const connection = new Connection({
 *       url: "wss://example.com/",
 *       tokenUrl: "/realtime/token/",
 *       onEvent: (event) => console.log(event.object),
 *       onState: (state, nextTry) => console.log(state, nextTry),
 *       onResync: () => console.log("something may have been missed"),
 *     });
 *     connection.start();
 *
 * @module
 */

/**
 * - `connecting`: we fetch a token, open a WebSocket, and prove who we are
 * - `live`: we miss no event from now on
 * - `waiting`: the connection is lost, and another try follows
 * - `refused`: the site gives us no token any more, and nothing follows
 *
 * @typedef {"connecting" | "live" | "waiting" | "refused"} State
 */

/**
 * @typedef {object} Options
 * @property {string} url  The server: `ws://…` or `wss://…`.
 * @property {string} tokenUrl  Where the site gives `{"token": "…"}` to those who are
 *   logged in, and 401 or 403 to others.
 * @property {string} [token]  A token for the first try, if the page has one.
 * @property {?string} [after]  The id of the last event when the page was made, if it
 *   is known: what happened since then is an event, too.
 * @property {(event: object) => void} onEvent  Called with each event.
 * @property {(state: State, nextTry: ?Date) => void} onState  Called with each state,
 *   and with the time of the next try in the state `waiting`.
 * @property {() => void} [onResync]  Called when events may have been missed, and
 *   nobody can tell which: what the page shows may be out of date.
 * @property {number} [silence]  After so many milliseconds without a word from the
 *   server, the link is dead. The server says something every 20 seconds.
 * @property {number} [shortest]  The first wait is at most so many milliseconds. With
 *   each try that fails, it may be twice as long …
 * @property {number} [longest]  … up to so many.
 */

export class Connection {
  #options;
  #token;
  #after;
  #failures = 0;
  #state;
  #heard;
  #timer;
  #page = new AbortController();
  #attempt = new AbortController();

  /** @param {Options} options */
  constructor(options) {
    const defaults = { silence: 45_000, shortest: 1_000, longest: 60_000 };
    this.#options = { onResync: () => {}, ...defaults, ...options };
    this.#token = options.token;
    this.#after = options.after;
  }

  /** Connect, and stay connected until access is refused or the page goes. */
  start() {
    this.stop();
    this.#page = new AbortController();
    const { signal } = this.#page;
    window.addEventListener("online", () => this.#wake(), { signal });
    document.addEventListener("visibilitychange", () => this.#wake(), { signal });
    window.addEventListener("pagehide", () => this.#end(), { signal });
    window.addEventListener("pageshow", (show) => show.persisted && this.#connect(), {
      signal,
    });
    this.#connect();
  }

  /** Disconnect, and stay so until `start()`. */
  stop() {
    this.#page.abort();
    this.#end();
  }

  /** Make an attempt: its signal ends all that belongs to it. */
  async #connect() {
    this.#end();
    this.#attempt = new AbortController();
    const { signal } = this.#attempt;
    this.#enter("connecting");
    this.#listen();
    try {
      const token = this.#token ?? (await this.#fetchToken(signal));
      this.#token = null;
      signal.throwIfAborted();
      if (token) {
        this.#open(token, signal);
      } else {
        this.stop();
        this.#enter("refused");
      }
    } catch {
      if (!signal.aborted) this.#retry();
    }
  }

  /** Return a fresh token, or null if the site refuses; throw if it cannot tell. */
  async #fetchToken(signal) {
    const response = await fetch(this.#options.tokenUrl, { signal });
    if ([401, 403].includes(response.status)) return null;
    if (!response.ok) throw new Error(`${response.url} answers ${response.status}`);
    return (await response.json()).token;
  }

  #open(token, signal) {
    const url = new URL(this.#options.url);
    if (this.#after != null) url.searchParams.set("after", this.#after);
    const socket = new WebSocket(url);
    const on = (type, listener) => socket.addEventListener(type, listener, { signal });
    on("open", () => socket.send(token));
    on("message", ({ data }) => this.#receive(JSON.parse(data)));
    on("close", () => this.#retry());
    signal.addEventListener("abort", () => socket.close());
  }

  #receive(message) {
    this.#listen();
    if (message.type === "ready") {
      this.#failures = 0;
      this.#enter("live");
    } else if (message.type === "event") {
      this.#options.onEvent(message);
    } else if (message.type === "resync") {
      this.#options.onResync();
    }
    // Where we are now. If nobody says so, we do not know when we come back.
    this.#after = message.id ?? message.last_event_id ?? this.#after ?? "";
  }

  /** Give up the attempt if nothing is heard for too long from now on. */
  #listen() {
    this.#heard = Date.now();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#retry(), this.#options.silence);
  }

  /** Try again after a random wait, which may be longer after each failure. */
  #retry() {
    this.#end();
    const { shortest, longest } = this.#options;
    const wait = Math.random() * Math.min(longest, shortest * 2 ** this.#failures++);
    this.#timer = setTimeout(() => this.#connect(), wait);
    this.#enter("waiting", new Date(Date.now() + wait));
  }

  /** Try at once when there is hope, or when a sleep has hidden a long silence. */
  #wake() {
    if (document.visibilityState === "hidden") return;
    const silent = Date.now() - this.#heard > this.#options.silence;
    if (this.#state === "waiting" || silent) this.#connect();
  }

  /** End the attempt, or the wait for it. */
  #end() {
    clearTimeout(this.#timer);
    this.#attempt.abort();
  }

  #enter(state, nextTry = null) {
    this.#state = state;
    this.#options.onState(state, nextTry);
  }
}
