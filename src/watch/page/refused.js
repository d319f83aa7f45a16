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

function item({ line, bytes, caret, before, after, reason, sender, listener, at }) {
  const when = el("span", { class: "muted when", title: clock(at) }, ago(live.now() - at));
  const node = el("li", { class: "panel" },
    el("div", { class: "bar" }, el("span", { class: "badge bad" }, reason), el("span", { class: "muted from" },
      "from ", el("bdi", {}, plain(sender)), " on ", el("bdi", {}, plain(listener))), when),
    el("pre", { class: "carets", "aria-label": `The line, refused at byte ${before + caret}` },
      ...leftOut(before, ""), ...withCaret(piecesOf(line, bytes), caret), ...leftOut(after, "more ")),
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

// The caret is a byte's, the text has characters, some of several bytes. What is no UTF-8 comes in hex and is shown
// byte by byte.
function piecesOf(line, hex) {
  if (!hex) {
    const encoder = new TextEncoder();
    return Array.from(line, (character) => ({ text: character, bytes: encoder.encode(character).length }));
  }
  return hex.match(/../g).map((digits) => {
    const code = parseInt(digits, 16);
    const isPrintable = code >= 0x20 && code < 0x7f;
    return { text: isPrintable ? String.fromCharCode(code) : `\\x${digits.toUpperCase()}`, bytes: 1 };
  });
}

function withCaret(pieces, caret) {
  let bytes = 0;
  const at = pieces.findIndex((piece) => (bytes += piece.bytes) > caret);
  const text = (begin, end) => foreign(pieces.slice(begin, end).map((piece) => piece.text).join(""));
  // At the end, where something is missing, it stands under an empty place.
  if (at < 0) return [text(0), el("mark", { class: "caret" }, "\u00a0")];
  return [text(0, at), el("mark", { class: "caret" }, text(at, at + 1)), text(at + 1)];
}
