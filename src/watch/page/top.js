// What explodes: rankings of the last closed window.

import { getJson } from "./api.js";
import { byId, el, foreign, keyed, markCurrent, plain, row, setText } from "./dom.js";
import { bytes, number, short } from "./format.js";
import { called } from "./list.js";
import { live } from "./live.js";
import { NO_HISTORY, TOP } from "./words.js";

const FRESH_MS = 1_000;
const SHOWN = 50;
const ASKED = 150;  // more, for tallyd's own are left out
let by = null;
let askedAt = 0;

export function show(wanted) {
  by = wanted in TOP ? wanted : "rate";
  for (const link of byId("top-tabs").children) markCurrent(link, link.dataset.by === by);
  setText(byId("top-hint"), TOP[by].hint);
  return ask();
}

// Of senders also between windows: those are live.
export function refresh(isWindow) {
  const isDue = isWindow || by === "sender";
  return isDue && Date.now() - askedAt >= FRESH_MS ? ask() : undefined;
}

async function ask() {
  askedAt = Date.now();
  const wanted = by;
  const { rows } = await getJson(`top?by=${wanted}&limit=${ASKED}`);
  if (wanted === by) draw(rows.filter(({ name }) => !name.startsWith("tallyd.")).slice(0, SHOWN));
}

function draw(rows) {
  const table = byId("top-table");
  const titles = [...TOP[by].columns, ...(by === "sender" ? ["Datagrams", "Bytes", "Lines", "Refused"] : [])];
  keyed(table.tHead.rows[0], titles, (title) => `${by} ${title}`,
        (title) => el("th", { class: title === titles[0] ? "" : "number" }, title), () => {});
  const most = Math.max(1e-9, ...rows.map(({ value }) => value));
  keyed(table.tBodies[0], rows, (one) => `${by} ${one.id ?? one.name}`, newRow, (tr, one) => update(tr, one, most));
  byId("top-empty").hidden = rows.length > 0;
  const isOff = by !== "sender" && live.remembersNothing();
  setText(byId("top-empty"), isOff ? NO_HISTORY : by === "sender" ? "Nobody sends." : "Nothing in the last closed window.");
}

function newRow(one) {
  const numbers = by === "sender" ? ["datagrams", "bytes", "lines", "refused"] : [];
  const tr = row([
    { name: "name", label: "", head: true },
    { name: "value", label: TOP[by].columns[1], type: "number" },
    ...numbers.map((name) => ({ name, label: name[0].toUpperCase() + name.slice(1), type: "number" })),
  ]);
  tr.named.name.append(...nameOf(one));
  tr.value = el("span");
  tr.fill = el("span");
  tr.named.value.append(el("div", { class: "ranking" },
    el("span", { class: "meter", "aria-hidden": "true" }, tr.fill), tr.value));
  return tr;
}

function nameOf(one) {
  if (by === "rate") return [called(one)];
  if (by === "series" || by === "bytes") {
    const link = `#/series?${new URLSearchParams({ match: one.name })}`;
    return [el("a", { class: "name", href: link, title: plain(one.name) }, foreign(one.name))];
  }
  const name = [foreign(one.name)];
  if (one.example) name.push(" ", el("small", { class: "name muted", title: plain(one.example) }, "as in ", foreign(one.example)));
  return name;
}

function update(tr, one, most) {
  setText(tr.value, by === "bytes" ? bytes(one.value) : by === "rate" || by === "sender" ? short(one.value) : number(one.value));
  tr.fill.style.width = `${(one.value / most) * 100}%`;
  if (by !== "sender") return;
  for (const name of ["datagrams", "lines", "refused"]) setText(tr.named[name], number(one[name]));
  setText(tr.named.bytes, bytes(one.bytes));
  tr.named.refused.classList.toggle("bad", one.refused > 0);
}
