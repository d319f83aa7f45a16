// One series: its charts, where it comes from, and what is written of it.

import { getJson, Refused } from "./api.js";
import { Chart, legend } from "./charts.js";
import { byId, el, foreign, keyed, plain, row, setText } from "./dom.js";
import { ago, clock, duration, number } from "./format.js";
import { drawFacts } from "./going.js";
import { tagNodes } from "./list.js";
import { live } from "./live.js";
import { MEANING, NO_HISTORY } from "./words.js";

let shown = null;   // the id
let kind = null;    // of what the charts were made for
let charts = [];    // {chart, fields, update}
let visit = 0;

export function show(id) {
  if (id !== shown) clear();
  shown = id;
  return refresh();
}

export function hide() {
  clear();
}

function clear() {
  ++visit;
  shown = kind = null;
  charts.forEach(({ chart }) => chart.destroy());
  charts = [];
  byId("detail-charts").replaceChildren();
  byId("detail-name").replaceChildren();
  byId("detail-tags").replaceChildren();
  setText(byId("detail-kind"), "");
  byId("detail-body").hidden = true;
  byId("detail-error").hidden = true;
}

export async function refresh() {
  if (shown === null) return;
  const mine = visit;
  try {
    const series = await getJson(`series/${encodeURIComponent(shown)}`);
    if (mine === visit) draw(series);
  } catch (error) {
    if (mine !== visit) return;
    if (!(error instanceof Refused && error.status === 404)) throw error;
    byId("detail-error").hidden = false;
    setText(byId("detail-error"), live.remembersNothing() ? NO_HISTORY : `${error.message}. It comes back by itself when it is heard again.`);
  }
}

function draw(series) {
  byId("detail-error").hidden = true;
  byId("detail-body").hidden = false;
  if (kind === null) drawOnce(series);
  for (const { chart, fields, update } of charts) {
    chart.draw(series.windows.map((at, index) =>
      [new Date(at), ...fields.map((field) => series.fields[field]?.[index] ?? null)]));
    update();
  }
  drawFields(series.fields);
  drawFacts(byId("detail-facts"), factsOf(series));
  setText(byId("detail-line"), series.line === null ? "Nothing was written yet." : plainLines(series.line));
}

// A line end between lines stays one.
const plainLines = (text) => text.split("\n").map(plain).join("\n");

function drawOnce(series) {
  kind = series.kind;
  byId("detail-name").replaceChildren(foreign(series.name));
  setText(byId("detail-kind"), kind);
  byId("detail-tags").replaceChildren(...tagNodes(series.tags));
  setText(byId("detail-meaning"), MEANING[kind] ?? "");
  charts = plans(series).map(newChart);
}

// Which charts a kind has. A field that is not there has none.
function plans({ kind: of, fields }) {
  const one = (name, title, shape, colour) => ({ title, shape, fields: [{ name, colour }] });
  const all = {
    counter: [one("count", "Count, window by window", "bars", "blue"), one("rate", "Rate a second", "line", "teal")],
    gauge: [one("value", "Value", "steps", "blue")],
    set: [one("count", "Different members, window by window", "bars", "blue")],
  }[of] ?? [{ title: "Mean and percentiles", shape: "line", fields: summary(fields) },
            one("count", "Values, window by window", "bars", "teal")];
  return all.map((plan) => ({ ...plan, fields: plan.fields.filter(({ name }) => name in fields) }))
    .filter((plan) => plan.fields.length > 0);
}

// The mean, the percentiles from low to high, and the largest, which would flatten the others, hidden at first.
function summary(fields) {
  const percentiles = Object.keys(fields).filter((name) => /^p\d+$/.test(name)).sort((a, b) => share(a) - share(b));
  const tones = ["teal", "green", "amber", "orange", "red", "violet"];
  const last = percentiles.length - 1;
  const named = percentiles.map((name, at) =>
    ({ name, colour: tones[last > 0 ? Math.round((at * (tones.length - 1)) / last) : 0] }));
  return [{ name: "mean", colour: "blue" }, ...named, { name: "max", colour: "grey", hidden: true }];
}

// p999 is 99.9.
const share = (name) => Number(`${name.slice(1, 3)}.${name.slice(3) || 0}`);

function newChart({ title, shape, fields }) {
  const div = el("div", { class: "chart", role: "img", "aria-label": `${title}, the last 60 windows` });
  const panel = el("article", { class: "panel half grows" }, el("h2", {}, title), div);
  byId("detail-charts").append(panel);
  const chart = new Chart(div, { fields, shape });
  const key = legend(chart);
  panel.append(key.node);
  return { chart, fields: fields.map(({ name }) => name), update: key.update };
}

function drawFields(fields) {
  keyed(byId("detail-fields").tBodies[0], Object.entries(fields), ([name]) => name, ([name]) => {
    const tr = row([{ name: "name", head: true }, ...["last", "least", "mean", "most"].map((of) => ({ name: of, type: "number" }))]);
    tr.named.name.append(name);
    return tr;
  }, ({ named: cells }, [, values]) => {
    const heard = values.filter((value) => value !== null);
    const mean = heard.reduce((sum, value) => sum + value, 0) / heard.length;
    setText(cells.last, number(heard.at(-1)));
    setText(cells.least, number(heard.length > 0 ? Math.min(...heard) : null));
    setText(cells.mean, number(mean));
    setText(cells.most, number(heard.length > 0 ? Math.max(...heard) : null));
  });
}

function factsOf({ id, last_seen: seen, last_sender: sender, ttl_ms: ttl }) {
  const facts = [
    ["Last heard", `${clock(seen)}, ${ago(live.now() - seen)}`],
    ["Last sender", sender === null ? "one of too many to remember" : plain(sender)],
    ["Id", id],
  ];
  if (ttl !== null) facts.splice(2, 0, ["Written again for", `${duration(ttl)} if it stays idle`]);
  return facts;
}
