// Is it arriving: three live charts, and what to send when nothing does.

import { Chart } from "./charts.js";
import { byId, setText } from "./dom.js";
import { clock, duration, short } from "./format.js";
import { live } from "./live.js";
import { ownCounter } from "./own.js";

const SPAN_MS = 300_000;
const QUIET_S = 30;

const MEASURES = [
  { name: "packets", of: "datagrams_s", own: "tallyd.datagrams", tags: { state: ["received"] } },
  { name: "lines", of: "lines_s", own: "tallyd.lines", tags: { state: ["accepted", "refused"] } },
  { name: "points", of: "points_s", own: "tallyd.points", tags: { state: ["written"] } },
];

let measures = [];

export function start() {
  measures = MEASURES.map((measure) => ({
    ...measure,
    before: [],
    number: byId(`${measure.name}-now`),
    chart: new Chart(byId(`${measure.name}-chart`), { fields: [{ name: measure.name, colour: "blue" }], joins: true }),
  }));
  for (const measure of measures) measure.chart.onHover = (row) => point(measure, row);
  live.addEventListener("state", () => live.state === "live" && remember());
}

// What tallyd wrote about itself before we came. Without a history the charts begin now.
async function remember() {
  await Promise.allSettled(measures.map(async (measure) => {
    const own = await ownCounter(measure.own, measure.tags);
    measure.before = own ? own.windows.map((at, index) => [at, own.rates[index]]) : [];
  }));
  draw();
}

export function draw() {
  if (live.pulses.length === 0) return;
  for (const measure of measures) drawMeasure(measure);
  sayQuiet();
}

function drawMeasure(measure) {
  const now = live.now();
  const first = live.pulses[0].now;
  const rows = measure.before.filter(([at]) => at < first && at > now - SPAN_MS - 60_000);
  for (const pulse of live.pulses) rows.push([pulse.now, pulse[measure.of]]);
  measure.chart.draw(rows.map(([at, value]) => [new Date(at), value]), [now - SPAN_MS, now]);
  measure.last = rows.findLast(([, value]) => value !== null)?.[1];
  if (!measure.isPointed) setText(measure.number, short(measure.last));
}

// The number above a chart is that of the moment that is pointed at.
function point(measure, row) {
  measure.isPointed = row !== null && row[1] !== null;
  setText(measure.number, short(measure.isPointed ? row[1] : measure.last));
  setText(byId(`${measure.name}-of`), measure.isPointed ? `at ${clock(row[0].getTime())}` : `${measure.name} a second`);
}

// How long ago the last packet or line came, in the words under the charts.
function sayQuiet() {
  const last = live.pulses.findLast((pulse) => pulse.datagrams_s > 0 || pulse.lines_s > 0);
  const since = live.now() - (last ?? live.pulses[0]).now;
  const isQuiet = since > QUIET_S * 1000;
  setText(byId("quiet"), isQuiet ? `Nothing has arrived for ${duration(Math.floor(since / 1000) * 1000)}.` : "");
}

export function drawListeners() {
  const { listeners, datagrams, lines } = live.ledger;
  byId("nothing").hidden = datagrams.received > 0 || lines.seen > 0;
  setText(byId("try-line"), tryLine(listeners));
  setText(byId("listening"), listeners.map(({ name }) => name).join(", ") || "nothing: [listen] names no address");
}

const quoted = (path) => (/^[\w@./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);

// A line for a shell that reaches the first listener, UDP before the others.
function tryLine(listeners) {
  const order = ["udp", "tcp", "unixgram", "unix"];
  const split = listeners.map(({ name }) => name.match(/^(\w+) (.*)$/s)?.slice(1) ?? ["", name]);
  split.sort(([a], [b]) => order.indexOf(a) - order.indexOf(b));
  const [kind, address] = split.find(([name]) => order.includes(name)) ?? ["", ""];
  const to = { udp: `-u -q0 ${hostAndPort(address)}`, tcp: `-q0 ${hostAndPort(address)}`,
               unixgram: `-uU -w1 ${quoted(address)}`, unix: `-U -q0 ${quoted(address)}` }[kind];
  return to ? `echo "hits:1|c" | nc ${to}` : "";
}

// Of an address that stands for all of them, the loopback one.
function hostAndPort(address) {
  const [, host, port] = address.match(/^\[?(.*?)\]?:(\d+)$/) ?? ["", "127.0.0.1", "8125"];
  const reachable = { "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1" }[host] ?? host;
  return `${reachable} ${port}`;
}
