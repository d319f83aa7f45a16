// Is it going out, and near which limit.

import { byId, el, keyed, plain, row, setAttribute, setText } from "./dom.js";
import { ago, bytes, duration, number, plural } from "./format.js";
import { live } from "./live.js";

const STATES = { ok: "ok", failing: "failing", unknown: "not tried yet", printed: "printed" };

export function drawDestinations() {
  keyed(byId("destinations").tBodies[0], live.ledger.destinations, ({ name }) => name, newDestination, updateDestination);
}

function newDestination({ name }) {
  const tr = row([
    { name: "name", label: "", head: true },
    { name: "state", label: "State" },
    { name: "answer", label: "Last answer", type: "answer" },
    { name: "written", label: "Written", type: "number" },
    { name: "queued", label: "Waiting in memory", type: "number" },
    { name: "spooled", label: "On disk", type: "number" },
    { name: "behind", label: "Behind", type: "number" },
    { name: "dead", label: "Dead", type: "number" },
    { name: "dropped", label: "Dropped", type: "number" },
  ]);
  tr.where = el("small", { class: "muted" });
  tr.named.name.append(el("bdi", {}, plain(name)), el("br"), tr.where);
  tr.state = tr.named.state.appendChild(el("span", { class: "state" }));
  tr.answer = tr.named.answer.appendChild(el("bdi"));
  tr.when = el("small", { class: "muted" });
  tr.named.answer.append(" ", tr.when);
  return tr;
}

function updateDestination(tr, to) {
  const cells = tr.named;
  const state = to.url === "" && to.state !== "failing" ? "printed" : to.state;
  setText(tr.where, to.url === "" ? "influxdb.url is empty" : `${to.server ?? "server not known yet"} · ${to.url}`);
  setText(tr.state, STATES[state] ?? state);
  setAttribute(tr.state, "data-state", state);
  setText(tr.answer, plain(to.last_answer ?? (to.url === "" ? "none: each window is printed" : "none yet")));
  setText(tr.when, whenOf(to));
  setText(cells.written, number(to.written));
  setText(cells.queued, waiting(to.queued, to.queued_bytes));
  setText(cells.spooled, waiting(to.spooled, to.spool_bytes));
  setText(cells.behind, behind(to));
  setText(cells.dead, number(to.dead));
  setText(cells.dropped, number(to.dropped));
  cells.dropped.classList.toggle("bad", to.dropped > 0);
  cells.dead.classList.toggle("warn", to.dead > 0);
}

function whenOf({ last_answer_at: at, last_success_at: success, state }) {
  if (at === null) return "";
  const now = live.now();
  const since = state === "failing" && success !== null ? `, last success ${ago(now - success)}` : "";
  return ago(now - at) + since;
}

const waiting = (points, size) => (points > 0 ? `${number(points)} (${bytes(size)})` : "0");

function behind({ backlog_age_ms: age, eta_ms: eta }) {
  if (age === null) return "no";
  return duration(age) + (eta === null ? "" : `, ${duration(eta)} to go`);
}

// ---------------------------------------------------------------------------- limits

const NEAR = 0.8;
const BYTES = /memory|bytes|spool|outbox|buffer|history|disk/;

export function drawLimits() {
  // A limit of single lines has no use, and is of interest once it was met.
  const shown = live.ledger.limits.filter(({ name, used, hit }) =>
    (used !== null || hit > 0) && !(name === "history_bytes" && live.remembersNothing()));
  keyed(byId("limits"), shown, ({ name }) => name, newLimit, updateLimit);
}

function newLimit({ name }) {
  const item = el("li");
  item.used = el("span", { class: "used" });
  item.fill = el("span");
  item.hit = el("small");
  item.append(el("span", {}, name.replaceAll("_", " ")), item.used,
              el("span", { class: "meter", "aria-hidden": "true" }, item.fill), item.hit);
  return item;
}

function updateLimit(item, { name, used, max, hit }) {
  const text = BYTES.test(name) ? bytes : number;
  const share = used !== null && max > 0 ? used / max : 0;
  const most = max === null ? "no limit" : text(max);
  setText(item.used, used === null ? `at most ${most}` : `${text(used)} of ${most}`);
  item.fill.style.width = `${Math.min(100, share * 100)}%`;
  setAttribute(item, "data-level", share >= 1 ? "bad" : share >= NEAR || hit > 0 ? "warn" : "good");
  setText(item.hit, hit > 0 ? `met ${plural(hit, "time")} since the start` : "");
}

// ---------------------------------------------------------------------------- this process

export function drawProcess() {
  const { version, uptime_s: uptime, interval_ms: interval, window, windows, memory, history } = live.ledger;
  const facts = [
    ["Version", version],
    ["Up", duration(uptime * 1000)],
    ["Window", duration(interval)],
    ["Series in the open one", number(live.pulse?.series ?? window.series)],
    ["Windows written", number(windows.closed)],
    ["Memory", bytes(memory.resident)],
    ["History", live.remembersNothing() ? "off" : `${plural(history.series, "series", "series")}, ${bytes(history.bytes)}`],
  ];
  if (windows.late > 0) facts.push(["Windows late", number(windows.late)]);
  if (windows.joined > 0) facts.push(["Windows joined", number(windows.joined)]);
  drawFacts(byId("process"), facts);
}

// A list of [name, text].
export function drawFacts(list, facts) {
  keyed(list, facts, ([name]) => name, ([name]) => {
    const fact = el("div", {}, el("dt", {}, name));
    fact.text = fact.appendChild(el("dd"));
    return fact;
  }, (fact, [, text]) => setText(fact.text, text));
}
