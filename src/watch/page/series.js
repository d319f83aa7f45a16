// Every series that was heard in the last 60 windows: searched, filtered, sorted by the daemon.

import { getJson } from "./api.js";
import { byId, setAttribute, setText } from "./dom.js";
import { number } from "./format.js";
import { drawSeries } from "./list.js";
import { live } from "./live.js";
import { NO_HISTORY } from "./words.js";

const PAGE = 100;
const MOST = 1000;
const TYPING_MS = 200;
const FRESH_MS = 2_000;

const DEFAULTS = { match: "", kind: "", sort: "rate", order: "", own: "" };
let wanted = { ...DEFAULTS };
let limit = PAGE;
let abort = new AbortController();
let askedAt = 0;
let typing = 0;

export function start() {
  byId("series-form").addEventListener("submit", (event) => event.preventDefault());
  byId("match").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(read, TYPING_MS);
  });
  for (const id of ["kind", "sort", "own"]) byId(id).addEventListener("change", read);
  byId("order").addEventListener("click", () => {
    setAttribute(byId("order"), "aria-pressed", String(byId("order").getAttribute("aria-pressed") !== "true"));
    read();
  });
  byId("series-more").addEventListener("click", () => {
    limit = Math.min(MOST, limit + (limit === PAGE ? PAGE * 4 : PAGE * 5));
    ask();
  });
}

// What the form says becomes the url, without a step back for each letter.
function read() {
  wanted = { match: byId("match").value, kind: byId("kind").value, sort: byId("sort").value,
             order: byId("order").getAttribute("aria-pressed") === "true" ? reversed(byId("sort").value) : "",
             own: byId("own").checked ? "1" : "" };
  limit = PAGE;
  const query = new URLSearchParams(Object.entries(wanted).filter(([key, value]) => value !== DEFAULTS[key]));
  history.replaceState(null, "", `#/series${query.size > 0 ? `?${query}` : ""}`);
  rememberPlace();
  ask();
}

// Whether tallyd's own are among them: who looks for them by name need not tick the box.
const hasOwn = () => wanted.own !== "" || wanted.match.startsWith("tallyd");

// Names from a to z, all else from the most.
const reversed = (sort) => (sort === "name" ? "desc" : "asc");

// Where the link of a series leads back to.
const rememberPlace = () => setAttribute(byId("detail-back"), "href", location.hash);

export function show(query) {
  rememberPlace();
  wanted = { ...DEFAULTS, ...Object.fromEntries(query) };
  for (const id of ["match", "kind", "sort"]) byId(id).value = wanted[id];
  setAttribute(byId("order"), "aria-pressed", String(wanted.order !== ""));
  byId("own").checked = wanted.own !== "";
  return ask();
}

// Once a window, but no more often than eyes can follow.
export function refresh() {
  return Date.now() - askedAt >= FRESH_MS ? ask() : undefined;
}

async function ask() {
  abort.abort();
  abort = new AbortController();
  const { signal } = abort;
  askedAt = Date.now();
  const order = wanted.order || (wanted.sort === "name" ? "asc" : "desc");
  const query = new URLSearchParams({ match: wanted.match, sort: wanted.sort, order, limit });
  if (wanted.kind) query.set("kind", wanted.kind);
  if (!hasOwn()) query.set("own", "0");
  try {
    const found = await getJson(`series?${query}`, signal);
    if (!signal.aborted) draw(found);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function draw({ total, matched, series }) {
  drawSeries(byId("series-table").tBodies[0], series, live.now());
  const shown = series.length < matched ? `${number(series.length)} of ${number(matched)}` : number(matched);
  const own = hasOwn() ? "" : ", tallyd's own among them";
  setText(byId("series-count"), `${shown} shown, ${number(total)} heard in the last 60 windows${own}`);
  const empty = byId("series-empty");
  empty.hidden = series.length > 0;
  setText(empty, live.remembersNothing() ? NO_HISTORY : total === 0 ? "No window with a series in it has been closed yet."
    : "No series has such a name and kind. * stands for any letters, ? for one.");
  byId("series-more").hidden = series.length >= matched || limit >= MOST;
}
