// Is it lost: one number, and the three accounts that it is the sum of.

import { byId, el, keyed, row, setAttribute, setText } from "./dom.js";
import { sparkBars } from "./charts.js";
import { bytes, duration, number, plural } from "./format.js";
import { live } from "./live.js";
import { ownCounter } from "./own.js";
import { DEAD, DENIED, DROPPED, KERNEL, REFUSED } from "./words.js";

const ANNOUNCE_MS = 30_000;
let announcedAt = 0;
let announced = null;

export function drawNumber() {
  const lost = live.pulse?.lost ?? live.ledger?.lost;
  if (lost === undefined) return;
  const text = byId("lost-number");
  setText(text, number(lost));
  setAttribute(text, "data-level", lost > 0 ? "bad" : "good");
  setAttribute(text, "data-length", text.textContent.length > 9 ? "long" : "short");
  announce(lost);
}

// To who listens to the page, when it becomes more, and not each second.
function announce(lost) {
  const isMore = announced !== null && lost > announced;
  if (announced === null) announced = lost;
  if (!isMore || Date.now() - announcedAt < ANNOUNCE_MS) return;
  setText(byId("announce"), `${number(lost)} lost`);
  announcedAt = Date.now();
  announced = lost;
}

// When it was lost: window by window, from the history, once one closed.
export async function drawLately() {
  const own = await ownCounter("tallyd.lost").catch(() => null);
  const lately = byId("lost-lately");
  if (own === null) {
    const before = live.pulses[0]?.lost ?? 0;
    const more = (live.pulse?.lost ?? before) - before;
    setText(lately, `${more > 0 ? number(more) : "None"} since this page was opened.`);
    return;
  }
  const sum = own.counts.reduce((all, count) => all + (count ?? 0), 0);
  const span = duration(own.windows.length * live.ledger.interval_ms).replace(/^1 (?=\w+$)/, "");
  setText(lately, `${sum > 0 ? number(sum) : "None"} in the last ${span}.`);
  byId("lost-spark").replaceChildren(sparkBars(own.counts));
}

export function drawHint() {
  const { datagrams, lines, points, balances, whole } = live.ledger;
  const parts = [
    [datagrams.dropped_by_kernel, `${plural(datagrams.dropped_by_kernel, "datagram")} dropped by the kernel`],
    [datagrams.denied, `${plural(datagrams.denied, "datagram")} denied`],
    [lines.refused, `${plural(lines.refused, "line")} refused`],
    [points.dropped, `${plural(points.dropped, "point")} dropped`],
  ].filter(([count]) => count > 0).map(([, text]) => text);
  const sum = parts.length > 0 ? `${parts.join(", ")}, since the start.`
    : "Every datagram, line and point since the start is accounted for.";
  const flaw = whole === false ? " A receive thread did not answer: its share is missing here."
    : balances ? "" : " The accounts do not add up: please report this.";
  setText(byId("lost-hint"), sum + flaw);
}

// ---------------------------------------------------------------------------- where

export function drawWhere() {
  const { datagrams, lines, points, destinations, listeners } = live.ledger;
  const recovered = destinations.reduce((sum, { recovered: count }) => sum + count, 0);
  drawAccounts([datagramsAccount(datagrams), linesAccount(lines), pointsAccount(points, recovered, destinations.length)]);
  keyed(byId("listeners").tBodies[0], listeners, ({ name }) => name, listenerRow, updateListener);
}

// Rows: name, count, whether it is a loss, what to do. Their sum is `total`, which is said too.
function datagramsAccount({ received, dropped_by_kernel: dropped, denied, truncated, empty }) {
  return {
    title: "Datagrams",
    rows: [["received", received], ["dropped by the kernel", dropped, true, KERNEL]],
    total: ["sent to us", received + dropped],
    balances: true,
    notes: [["of those received, denied", denied, true, DENIED], ["truncated", truncated], ["empty", empty]],
  };
}

function linesAccount({ seen, accepted, refused, refused_by: by }) {
  return {
    title: "Lines",
    rows: [["accepted", accepted], ["refused", refused, true]],
    total: ["seen", seen],
    balances: seen === accepted + refused,
    notes: reasons(by, REFUSED),
    link: refused > 0 ? ["See the newest refused lines", "#/refused"] : null,
  };
}

function pointsAccount(points, recovered, destinations) {
  const { flushed, written, queued, spooled, dead, dropped, dropped_by: by } = points;
  const name = destinations > 1 ? `flushed, over ${destinations} destinations` : "flushed";
  return {
    title: "Points",
    rows: [["written", written], ["waiting in memory", queued], ["waiting on disk", spooled],
           ["dead letters, kept on disk", dead, false, DEAD], ["dropped", dropped, true]],
    total: [recovered > 0 ? `${name}, and ${number(recovered)} found on disk` : name, flushed + recovered],
    balances: flushed + recovered === written + queued + spooled + dead + dropped,
    notes: reasons(by, DROPPED),
  };
}

const reasons = (by, words) => Object.entries(by).filter(([, count]) => count > 0)
  .sort(([, a], [, b]) => b - a).map(([reason, count]) => [reason, count, true, words[reason] ?? ""]);

function drawAccounts(accounts) {
  keyed(byId("accounts"), accounts, ({ title }) => title, newAccount, updateAccount);
}

function newAccount({ title }) {
  const section = el("section", { class: "account" }, el("h3", {}, title));
  section.rows = section.appendChild(el("dl"));
  section.total = section.appendChild(el("dl", { class: "total" }));
  section.notes = section.appendChild(el("dl", { class: "notes" }));
  section.link = section.appendChild(el("p"));
  return section;
}

function updateAccount(section, { rows, total: [name, total], balances, notes, link }) {
  updateLines(section.rows, rows);
  updateLines(section.total, [[`${balances ? "✓" : "✗"} ${name}`, total, !balances]]);
  updateLines(section.notes, notes);
  section.link.replaceChildren(...(link ? [el("a", { href: link[1] }, link[0])] : []));
}

function updateLines(list, lines) {
  keyed(list, lines, (_) => _[0], newLine, (line, [, count, isLoss]) => {
    setText(line.count, number(count));
    setAttribute(line, "class", isLoss && count > 0 ? "line bad" : "line");
    line.hint.hidden = !(count > 0);
  });
}

function newLine([name, , , hint = ""]) {
  const line = el("div", { class: "line" }, el("dt", {}, name));
  line.count = line.appendChild(el("dd"));
  line.hint = line.appendChild(el("p", { class: "hint" }, hint));
  return line;
}

function listenerRow({ name }) {
  const tr = row([
    { name: "name", label: "", head: true },
    { name: "datagrams", label: "Datagrams", type: "number" },
    { name: "drops", label: "Dropped by the kernel", type: "number" },
    { name: "denied", label: "Denied", type: "number" },
    { name: "lines", label: "Lines", type: "number" },
    { name: "refused", label: "Refused", type: "number" },
    { name: "connections", label: "Connections", type: "number" },
    { name: "buffer", label: "Receive buffer", type: "number" },
  ]);
  tr.named.name.append(name);
  return tr;
}

function updateListener({ named: cells }, listener) {
  const counts = { datagrams: listener.datagrams, drops: listener.kernel_drops, denied: listener.denied,
                   lines: listener.lines, refused: listener.refused, connections: listener.connections };
  for (const [name, count] of Object.entries(counts)) {
    setText(cells[name], number(count));
    cells[name].classList.toggle("bad", count > 0 && ["drops", "denied", "refused"].includes(name));
  }
  const { buffer_fill: fill, receive_buffer: size } = listener;
  setText(cells.buffer, size > 0 ? `${Math.round(fill * 100)} % of ${bytes(size)}` : "the sender waits");
}
