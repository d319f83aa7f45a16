// What the page knows of the daemon at this moment, and the stream that keeps it so. Others listen to `live`:
//
//     pulse    once a second      live.pulse, live.pulses
//     window   once a window      live.window
//     ledger   with each of them, when it is wanted and at least every five seconds      live.ledger
//     state    the connection     live.state:
//
// connecting, live, away (nobody answers), unserved (an answer, but no stream), locked (a token is wanted).

import { events, getJson, Refused } from "./api.js";

const KEEP_MS = 330_000;        // of pulses: what the charts show, and a little more
const SILENT_MS = 6_000;        // pulses come every second: then a connection is dead, whatever TCP thinks
const LEDGER_MS = 5_000;
const BACK_OFF_MS = [500, 1_000, 2_000, 4_000];

class Live extends EventTarget {
  state = "connecting";
  why = "";            // tallyd's own words, when unserved or locked
  awayAt = null;       // when it did, by our clock
  pulse = null;
  pulses = [];         // oldest first
  window = null;
  ledger = null;

  #attempt = 0;
  #abort = null;
  #heardAt = 0;
  #ledgerAt = 0;
  #asked = null;  // the promise of a ledger that is on its way
  #retry = 0;

  start() {
    setInterval(() => this.#watch(), 1_000);
    addEventListener("online", () => this.reconnect());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.state === "away") this.reconnect();
    });
    this.#connect();
  }

  // At once, whatever the back-off says.
  reconnect() {
    clearTimeout(this.#retry);
    this.#attempt = 0;
    this.#abort?.abort();
    this.#connect();
  }

  // Milliseconds since 1970 by the daemon's clock, as of its last word.
  now() {
    return this.pulse?.now ?? this.ledger?.now ?? Date.now();
  }

  // Whether the configuration switched the history of series off.
  remembersNothing() {
    return this.ledger?.history.bytes_max === 0;
  }

  async #connect() {
    const abort = new AbortController();
    this.#abort = abort;
    this.#heardAt = Date.now();
    try {
      for await (const { event, data } of events("stream", abort.signal, () => this.#heard())) {
        this.#take(event, data);
      }
      throw new Error("the connection was closed");
    } catch (error) {
      if (this.#abort === abort) this.#lost(error);
    }
  }

  #heard() {
    this.#heardAt = Date.now();
    this.#attempt = 0;
    if (this.state === "live") return;
    this.#become("live", "");
    this.askLedger();
  }

  #take(event, data) {
    if (event === "pulse") this.#takePulse(data);
    if (event === "window") {
      this.window = data;
      this.askLedger();
    }
    if (event === "pulse" || event === "window") this.#tell(event);
  }

  #takePulse(pulse) {
    const lost = this.pulse?.lost;
    // A daemon that was started anew counts anew.
    if (pulse.lost < lost || pulse.now < this.pulse?.now) this.pulses = [];
    this.pulse = pulse;
    this.pulses.push(pulse);
    while (this.pulses[0].now < pulse.now - KEEP_MS) this.pulses.shift();
    const isFirst = pulse.datagrams_s > 0 && this.ledger?.datagrams.received === 0;
    if (isFirst || pulse.lost !== lost || Date.now() - this.#ledgerAt >= LEDGER_MS) this.askLedger();
  }

  // One at a time; not while nobody looks. Whether it came is told by the event.
  askLedger() {
    if (document.hidden && this.ledger) return Promise.resolve();
    this.#asked ??= this.#ask().finally(() => { this.#asked = null; });
    return this.#asked;
  }

  async #ask() {
    this.#ledgerAt = Date.now();
    try {
      this.ledger = await getJson("ledger", AbortSignal.timeout(SILENT_MS));
      this.#tell("ledger");
    } catch (error) {
      if (error instanceof Refused && error.status === 401) this.#become("locked", error.message);
    }
  }

  #lost(error) {
    if (error instanceof Refused && error.status === 401) {
      this.#become("locked", error.message);
      return;
    }
    if (error instanceof SyntaxError) console.error(error);  // ours or the server's fault, not the network's
    this.window = null;
    const isServed = !(error instanceof Refused);
    this.#become(isServed ? "away" : "unserved", isServed ? "" : error.message);
    if (!isServed) this.askLedger();
    const longest = BACK_OFF_MS[Math.min(this.#attempt++, BACK_OFF_MS.length - 1)];
    this.#retry = setTimeout(() => this.#connect(), longest * (0.75 + Math.random() / 4));
  }

  #watch() {
    if (this.state !== "locked" && Date.now() - this.#heardAt > SILENT_MS) this.#abort.abort();
  }

  #become(state, why) {
    if (state === "away" && this.state !== "away") this.awayAt = Date.now();
    this.state = state;
    this.why = why;
    this.#tell("state");
  }

  #tell(event) {
    this.dispatchEvent(new Event(event));
  }
}

export const live = new Live();
