// How everything gets into the document. Text only ever becomes text nodes: names, tags, senders and lines come
// from strangers.

export const byId = (id) => document.getElementById(id);

// An element. Attributes that are functions listen: {onclick: f}. Children are nodes or texts.
export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== null) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

// Leaves alone what is there already, so that a selection lives on.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

// A link to what is shown already.
export function markCurrent(link, isHere) {
  if (isHere) setAttribute(link, "aria-current", "page");
  else link.removeAttribute("aria-current");
}

// Bytes that would be invisible, or turn the text around them: controls, bidi marks, zero widths.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/u;

const code = (character) => `\\u{${character.codePointAt(0).toString(16)}}`;

// A stranger's text: what is hidden is shown as an escape, and its direction stays its own.
export function foreign(text) {
  const node = el("bdi", { class: "foreign" });
  for (const piece of String(text).split(new RegExp(`(${HIDDEN.source})`, "u"))) {
    if (piece) node.append(HIDDEN.test(piece) ? el("span", { class: "escape" }, code(piece)) : piece);
  }
  return node;
}

// The same where only plain text can stand, as in a title.
export const plain = (text) => String(text).replace(new RegExp(HIDDEN.source, "gu"), code);

const rowsOf = new WeakMap();  // parent -> Map of key -> node

// Makes the children of `parent` those of `items`, in their order. A node is made once a key and then updated, so
// that focus, hover and scroll stay where they are.
export function keyed(parent, items, keyOf, create, update) {
  const before = rowsOf.get(parent) ?? new Map();
  const now = new Map();
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    if (now.has(key)) continue;
    const node = before.get(key) ?? create(item);
    before.delete(key);
    now.set(key, node);
    update(node, item);
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
  }
  for (const node of before.values()) node.remove();
  rowsOf.set(parent, now);
  if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
}

// A table row whose cells are found again by name. `labels` stand before each where there is no room for a head.
export function row(cells) {
  const tr = el("tr");
  tr.named = {};
  for (const { name, label, type = "", head = false } of cells) {
    const cell = el(head ? "th" : "td", { class: type, "data-label": label, scope: head ? "row" : undefined });
    tr.named[name] = cell;
    tr.append(cell);
  }
  return tr;
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {  // only https and localhost have a clipboard
    const area = el("textarea", { class: "unseen" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}
