// The newest lines that were refused, with a caret under the byte that decided.

import { getJson } from "./api.js";
import { byId, el, foreign, plain, setText } from "./dom.js";
import { ago, clock, number } from "./format.js";
import { live } from "./live.js";
import { REFUSED } from "./words.js";

const FRESH_MS = 1_000;
let shown = "";    // what is drawn
let askedAt = 0;

export async function show() {
  askedAt = Date.now();
  draw(await getJson("refused"));
}

export function refresh() {
  return Date.now() - askedAt >= FRESH_MS ? show() : undefined;
}

function draw({ total, refused }) {
  setText(byId("refused-count"), total > 0 ? `${number(total)} since the start, ${number(refused.length)} shown` : "");
  byId("refused-empty").hidden = refused.length > 0;
  const list = byId("refused-list");
  const isBeingRead = !getSelection().isCollapsed && list.contains(getSelection().anchorNode);
  const now = JSON.stringify(refused);
  if (now === shown || isBeingRead) {
    [...list.children].forEach((item) => setText(item.ago, ago(live.now() - item.at)));
    return;
  }
  shown = now;
  list.replaceChildren(...refused.map(item));
}

function item({ line, caret, before, after, reason, sender, listener, at }) {
  const when = el("span", { class: "muted when", title: clock(at) }, ago(live.now() - at));
  const node = el("li", { class: "panel" },
    el("div", { class: "bar" }, el("span", { class: "badge bad" }, reason), el("span", { class: "muted from" },
      "from ", el("bdi", {}, plain(sender)), " on ", el("bdi", {}, plain(listener))), when),
    el("pre", { class: "carets", "aria-label": `The line, refused at byte ${before + caret}` },
      ...leftOut(before, ""), ...withCaret(line, caret), ...leftOut(after, "more ")),
    el("p", { class: "hint" }, REFUSED[reason] ?? ""));
  node.at = at;
  node.ago = when;
  return node;
}

// tallyd keeps of a long line the part around the caret; where the line was cut, nobody knows how long it was (null).
function leftOut(count, more) {
  if (count === 0) return [];
  return [el("span", { class: "muted left-out" }, count === null ? " …" : ` … ${number(count)} ${more}bytes … `)];
}

// The caret is a byte's, the text has characters: some are several bytes, and some are shown as escapes.
function withCaret(line, caret) {
  const encoder = new TextEncoder();
  let bytes = 0;
  let at = 0;
  for (const character of line) {
    const next = bytes + encoder.encode(character).length;
    if (next > caret) return marked(line, at, character);
    bytes = next;
    at += character.length;
  }
  return marked(line, line.length, "");
}

// At the end, where something is missing, the caret stands under an empty place.
function marked(line, at, character) {
  const place = el("mark", { class: "caret" }, character ? foreign(character) : "\u00a0");
  return [foreign(line.slice(0, at)), place, foreign(line.slice(at + character.length))];
}
