// Rows of series, as they stand in every list.

import { spark } from "./charts.js";
import { el, foreign, keyed, plain, row, setText } from "./dom.js";
import { ago, clock, short } from "./format.js";

const TAGS_SHOWN = 6;

export const linkTo = ({ id }) => `#/series/${encodeURIComponent(id)}`;

export function tagNodes(tags, shown = Infinity) {
  const all = Object.entries(tags);
  const nodes = all.slice(0, shown).map(([key, value]) =>
    el("span", { class: "tag" }, foreign(key), ":", foreign(value)));
  if (all.length > shown) nodes.push(el("span", { class: "tag more-tags" }, `+${all.length - shown}`));
  return nodes;
}

// Name, kind and tags, the name a link.
export function called(series) {
  const title = [plain(series.name), ...Object.entries(series.tags).map(([key, value]) => plain(`${key}:${value}`))];
  return el("div", { class: "called" },
    el("a", { class: "name", href: linkTo(series), title: title.join("\n") }, foreign(series.name)),
    el("span", { class: "badge" }, series.kind), ...tagNodes(series.tags, TAGS_SHOWN));
}

// Makes `tbody` hold these series. With `now` there is a column that says when each was heard.
export function drawSeries(tbody, series, now = null) {
  keyed(tbody, series, ({ id }) => id, (one) => newSeries(one, now !== null), (tr, one) => updateSeries(tr, one, now));
}

function newSeries(one, hasSeen) {
  const tr = row([
    { name: "name", label: "", head: true },
    { name: "rate", label: "Values a second", type: "number" },
    { name: "last", label: "Last", type: "number" },
    ...(hasSeen ? [{ name: "seen", label: "Last heard", type: "number seen" }] : []),
    { name: "spark", label: "Last 30 windows", type: "spark-column" },
  ]);
  tr.named.name.append(called(one));
  tr.addEventListener("click", (event) => {  // the link is for keys; a row is easier to hit
    if (!event.target.closest("a") && getSelection().isCollapsed) location.hash = linkTo(one);
  });
  return tr;
}

function updateSeries({ named: cells }, { rate, last, last_seen: seen, spark: values }, now) {
  setText(cells.rate, short(rate));
  setText(cells.last, short(last));
  if (cells.seen) {
    setText(cells.seen, ago(now - seen));
    cells.seen.title = clock(seen);
  }
  cells.spark.replaceChildren(spark(values));
}
