// The page of tallyd: which view is shown, and who is told when something new is known.
//
//     api.js     requests, the event stream            dom.js     elements; text stays text
//     live.js    what is known now, and the stream     charts.js  dygraphs and sparklines
//     own.js     what tallyd wrote about itself        format.js, words.js
//
//     arriving.js loss.js going.js   the first screen      list.js series.js detail.js   series
//     refused.js top.js config.js    a view each

import * as arriving from "./arriving.js";
import { getJson, hasToken, Refused, setToken, Unreachable } from "./api.js";
import * as config from "./config.js";
import * as detail from "./detail.js";
import { byId, copy, markCurrent, setAttribute, setText } from "./dom.js";
import { clock, number } from "./format.js";
import * as going from "./going.js";
import { drawSeries } from "./list.js";
import { live } from "./live.js";
import * as loss from "./loss.js";
import * as refused from "./refused.js";
import * as series from "./series.js";
import * as top from "./top.js";
import { NO_HISTORY } from "./words.js";

// ---------------------------------------------------------------------------- the first screen

const overview = {
  show(_, isOpen) {
    byId("where").hidden = !isOpen;
    setAttribute(byId("lost-button"), "aria-expanded", String(isOpen));
    setText(byId("lost-more"), isOpen ? "Close" : "Where?");
    this.pulse();
    this.ledger();
    return live.askLedger().then(() => this.window());
  },
  pulse() {
    loss.drawNumber();
    arriving.draw();
  },
  ledger() {
    if (live.ledger === null) return;
    for (const draw of [loss.drawNumber, loss.drawHint, loss.drawWhere, arriving.drawListeners,
                        going.drawDestinations, going.drawLimits, going.drawProcess]) draw();
  },
  async window() {
    const busiest = live.window?.busiest ?? (await getJson("series?sort=rate&limit=20&own=0")).series;
    drawSeries(byId("busiest").tBodies[0], busiest);
    byId("busiest-empty").hidden = busiest.length > 0;
    setText(byId("busiest-empty"), live.remembersNothing() ? NO_HISTORY : "No window with a series of yours has been closed yet.");
    if (live.ledger) await loss.drawLately();
  },
};

// ---------------------------------------------------------------------------- views

// A view has `show(argument, ..)`, and may have what is to be done at each event of `live`, and `hide`.
const views = {
  overview,
  series: { show: series.show, window: series.refresh },
  detail: { show: detail.show, window: detail.refresh, hide: detail.hide },
  refused: { show: refused.show, pulse: refused.refresh },
  top: { show: top.show, pulse: () => top.refresh(false), window: () => top.refresh(true) },
  config: { show: config.show },
};

// #/  #/lost  #/series?match=..  #/series/ID  #/refused  #/top/BY  #/config: a view and its arguments.
function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, argument = ""] = path.split("/");
  if (name === "series" && argument) return ["detail", decoded(argument)];
  if (name === "series") return ["series", new URLSearchParams(query)];
  if (name === "top") return ["top", argument];
  return Object.hasOwn(views, name) && name !== "detail" ? [name] : ["overview", null, name === "lost"];
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

let current = null;

function showRoute() {
  const [name, ...argumentsOf] = live.state === "locked" ? ["login"] : route();
  if (current !== name) enter(name);
  const isAnswered = live.state === "live" || live.state === "unserved";
  if (isAnswered) attempt(() => views[name].show(...argumentsOf));
}

function enter(name) {
  views[current]?.hide?.();
  for (const section of document.querySelectorAll(".view")) section.hidden = section.id !== name;
  const place = name === "detail" ? "series" : name;
  for (const link of document.querySelectorAll("header nav a")) markCurrent(link, link.dataset.view === place);
  if (current !== null) arrive(name);
  current = name;
}

// The top of the new view, for eyes and for who listens.
function arrive(name) {
  scrollTo(0, 0);
  byId(name === "login" ? "token" : "main").focus({ preventScroll: true });
}

// What a view could not get is said in its place; of a connection that is away the banner tells.
async function attempt(action) {
  const text = byId("view-error");
  try {
    await action();
    text.hidden = true;
  } catch (error) {
    const isRefused = error instanceof Refused;
    if (isRefused && error.status === 401) live.reconnect();  // which asks for the token
    text.hidden = error instanceof Unreachable;
    setText(text, isRefused ? error.message : `This view could not be drawn: ${error.message}`);
    if (!isRefused && !text.hidden) console.error(error);
  }
}

for (const event of ["pulse", "window", "ledger"]) {
  live.addEventListener(event, () => {
    if (document.hidden && event === "pulse") return;
    if (views[current]?.[event]) attempt(() => views[current][event]());
    if (event !== "window") drawFrame();
  });
}

// ---------------------------------------------------------------------------- around the views

function drawFrame() {
  const lost = live.pulse?.lost ?? live.ledger?.lost ?? 0;
  const host = live.ledger?.host ?? "";
  setText(byId("host"), host);
  document.title = [lost > 0 ? `${number(lost)} lost` : "", `tallyd ${host}`.trim()].filter(Boolean).join(" - ");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  setText(byId("footer"), `Times are of this browser, ${zone}. tallyd's clock: ${clock(live.now())}`);
}

function drawConnection() {
  const text = byId("connection");
  setText(text, live.state === "unserved" ? "no stream" : live.state);
  setAttribute(text, "data-state", live.state);
  document.body.classList.toggle("stale", live.state === "away");
  const banner = byId("away");
  banner.hidden = live.state !== "away" && live.state !== "unserved";
  setText(banner, banner.hidden ? "" : awayText());
}

function awayText() {
  if (live.state === "unserved") return `${live.why}. The numbers are asked for every few seconds instead.`;
  const age = live.pulse ? ` What you see is from ${clock(live.pulse.now)}.` : "";
  return `tallyd does not answer since ${clock(live.awayAt)}.${age} Trying again by itself.`;
}

live.addEventListener("state", () => {
  drawConnection();
  setText(byId("login-error"), live.state === "locked" && hasToken() ? live.why : "");
  showRoute();
});

const NARROW = { wide: 900, other: 560 };  // pixels

function stackTables() {
  const observer = new ResizeObserver((entries) => entries.forEach(({ target, contentRect: { width } }) => {
    for (const table of target.querySelectorAll("table.stack")) {
      const isWide = table.classList.contains("wide");
      table.classList.toggle("stacked", width > 0 && width < NARROW[isWide ? "wide" : "other"]);
    }
  }));
  document.querySelectorAll(".panel").forEach((panel) => observer.observe(panel));
}

function startControls() {
  const theme = byId("theme");
  const drawTheme = () => {
    const { choice } = window.tallydTheme;
    setText(theme, `Theme: ${choice}`);
  };
  theme.addEventListener("click", () => window.tallydTheme.next());
  addEventListener("theme", drawTheme);
  drawTheme();
  byId("lost-button").addEventListener("click", () => {
    location.hash = byId("where").hidden ? "#/lost" : "#/";
  });
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", () => copyOf(button));
  }
  byId("login-form").addEventListener("submit", (event) => {
    event.preventDefault();
    setToken(byId("token").value.trim());
    live.reconnect();
  });
  addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input, select, textarea");
    if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    search();
  });
}

function search() {
  const focus = () => byId("match").focus();
  if (current === "series") {
    focus();
    return;
  }
  addEventListener("hashchange", focus, { once: true });  // behind ours, which moves the focus too
  location.hash = "#/series";
}

async function copyOf(button) {
  await copy(byId(button.dataset.copy).textContent);
  setText(button, "Copied");
  setTimeout(() => setText(button, "Copy"), 1500);
}

arriving.start();
series.start();
config.start();
startControls();
stackTables();
drawConnection();
addEventListener("hashchange", showRoute);
showRoute();
live.start();
