// The configuration that holds, as `tallyd config` prints it.

import { getJson } from "./api.js";
import { byId, el } from "./dom.js";

let lines = [];

export function start() {
  byId("config-form").addEventListener("submit", (event) => event.preventDefault());
  byId("config-filter").addEventListener("input", draw);
}

export async function show() {
  const { config } = await getJson("config");
  lines = config.replace(/\n$/, "").split("\n");
  draw();
}

// With a filter only lines that hold it, below the heading of their section.
function draw() {
  const filter = byId("config-filter").value.toLowerCase();
  const found = [];
  let heading = null;
  for (const line of lines) {
    if (line.startsWith("[")) heading = line;
    const isWanted = filter === "" || (line.toLowerCase().includes(filter) && line !== heading);
    if (!isWanted) continue;
    if (filter !== "" && heading !== null) found.push(heading);
    if (filter !== "") heading = null;
    found.push(line);
  }
  byId("config-text").replaceChildren(...found.map(painted));
}

function painted(line) {
  const kind = line.startsWith("[") ? "section" : line.trimStart().startsWith("#") ? "comment" : "";
  const [, value, comment] = kind === "" ? line.match(/^(.*?)(\s+#[^"]*)?$/) : ["", line, ""];
  return el("span", { class: kind }, value, ...(comment ? [el("span", { class: "comment" }, comment)] : []), "\n");
}
