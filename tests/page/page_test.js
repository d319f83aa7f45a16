// The page in a real Chromium. Prints `PASS name` or `FAIL name: why`, a claim each; exit status 3 if one failed.
//
//     node page_test.js OUTPUT mock|TALLYD [TEXT]
//
// Screenshots go to OUTPUT. With TEXT only the claims that hold it.

const fs = require("fs");
const path = require("path");
const assert = require("assert/strict");
const { chromium } = require("playwright-core");
const { HOSTILE, Mock, Tallyd, underPrefix } = require("./daemons.js");

const [output, program, only = ""] = process.argv.slice(2);
Tallyd.program = program;
const Daemon = program === "mock" ? Mock : Tallyd;

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
               "--disable-component-update", "--disable-sync"];
const VIEWS = { overview: "#/", lost: "#/lost", series: "#/series", refused: "#/refused", "top-rate": "#/top/rate",
                "top-series": "#/top/series", "top-bytes": "#/top/bytes", "top-sender": "#/top/sender",
                "top-tag": "#/top/tag", config: "#/config" };
const WIDTHS = { narrow: 400, wide: 1600 };

let browser = null;
const complaints = [];  // of the console, the policy and scripts

async function open(url, { width = 1200, theme = "light" } = {}) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: theme });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error.stack)));
  page.on("dialog", (dialog) => {
    complaints.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.goto(url);
  return page;
}

const close = (page) => page.context().close();
const text = (page, selector) => page.locator(selector).first().innerText();
const isLive = (page) => page.waitForSelector("#connection[data-state=live]");
const digits = (shown) => Number(shown.replaceAll(",", ""));

// Until `read` gives something that `is` wanted.
async function eventually(what, read, is) {
  const end = Date.now() + 15_000;
  let last;
  do {
    last = await read();
    if (is(last)) return last;
    await new Promise((resolve) => setTimeout(resolve, 50));
  } while (Date.now() < end);
  throw new Error(`${what}: still ${JSON.stringify(last)} after 15 s`);
}

// Pixels of a chart that are drawn in the colour of its line.
const drawn = (page, chart, colour) => page.locator(`${chart} canvas`).first().evaluate((canvas, name) => {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
  const [red, green, blue] = getComputedStyle(probe).color.match(/\d+/g).map(Number);
  probe.remove();
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) {
    const isNear = Math.abs(data[at] - red) + Math.abs(data[at + 1] - green) + Math.abs(data[at + 2] - blue) < 60;
    if (data[at + 3] > 100 && isNear) ++count;
  }
  return count;
}, colour);

const rowNamed = (page, table, name) => page.locator(`${table} tbody tr`, { has: page.getByText(name, { exact: true }) });

async function openSeries(page, url, name) {
  await page.goto(`${url}#/series?match=${encodeURIComponent(name)}`);
  await rowNamed(page, "#series-table", name).first().locator("a.name").click();
  await page.waitForSelector("#detail-body:not([hidden])");
}

// ---------------------------------------------------------------------------- claims

// In this order, for some change what the daemon tells.
const claims = {
  "live counters move": async ({ url }) => {
    const page = await open(url);
    await isLive(page);
    const first = await eventually("lines a second", () => text(page, "#lines-now"), (shown) => parseFloat(shown) > 0);
    await eventually("lines a second", () => text(page, "#lines-now"), (shown) => parseFloat(shown) > 0 && shown !== first);
    await eventually("the line of the chart", () => drawn(page, "#lines-chart", "blue"), (count) => count > 20);
    await close(page);
  },

  "what was not lost is a green zero": async ({ url }) => {
    const page = await open(url);
    await page.waitForSelector("#lost-number[data-level=good]");
    assert.equal(await text(page, "#lost-number"), "0");
    await close(page);
  },

  "the busiest series have sparklines, and not ours first": async ({ url }) => {
    const page = await open(url);
    const rows = page.locator("#busiest tbody tr");
    await eventually("rows", () => rows.count(), (count) => count >= 5);
    await page.waitForSelector("#busiest .spark-line[d*=L]");
    assert.equal(await rows.filter({ hasText: /^tallyd\./ }).count(), 0);
    await close(page);
  },

  "what the kernel drops shows in the large number, and opens into where": async (daemon) => {
    const page = await open(daemon.url);
    await page.waitForSelector("#lost-number[data-level=good]");
    await daemon.dropDatagrams();
    await page.waitForSelector("#lost-number[data-level=bad]");
    await page.click("#lost-button");
    await page.waitForSelector("#where:not([hidden])");
    const drops = page.locator("#accounts .line.bad", { hasText: "dropped by the kernel" }).locator("dd");
    const count = await eventually("the account", async () => digits(await drops.innerText()), (shown) => shown > 0);
    const cell = rowNamed(page, "#listeners", /^udp /).locator("td").nth(1);
    assert.equal(digits(await cell.innerText()), count);
    assert.ok(digits(await text(page, "#lost-number")) >= count);
    assert.match(page.url(), /#\/lost$/);
    assert.match(await page.title(), /^[\d,]+ lost - tallyd/);
    await eventually("when it was lost", () => text(page, "#lost-lately"), (shown) => /^[1-9]/.test(shown));
    await page.click("#lost-button");
    await page.waitForSelector("#where", { state: "hidden" });
    await close(page);
  },

  "tallyd's own series are shown on request, and when they are looked for": async ({ url }) => {
    const page = await open(`${url}#/series`);
    const own = page.locator("#series-table tbody tr").filter({ hasText: /^tallyd\./ });
    await page.waitForSelector("#series-table tbody tr");
    assert.equal(await own.count(), 0);
    await page.check("#own");
    await own.first().waitFor();
    assert.match(page.url(), /#\/series\?own=1$/);
    await page.goto(`${url}#/series?match=tallyd.lost`);
    await own.first().waitFor();
    await close(page);
  },

  "refused lines have a caret under the byte that decided, and are text": async (daemon) => {
    const page = await open(`${daemon.url}#/refused`);
    await isLive(page);
    await daemon.refuse();
    const line = (name) => page.locator("#refused-list .carets", { hasText: name }).first();
    const parts = (name) => line(name).evaluate((pre) => [...pre.childNodes].map((part) => part.textContent));
    await line("page.views").waitFor();
    assert.deepEqual(await parts("page.views"), ["page.views:", "o", "ne|c"]);
    assert.deepEqual(await parts("bytes"), [" … 209 bytes … ", `${"x".repeat(196)}:1|`, "q", ""]);
    assert.deepEqual(await parts("größe"), ["größe.λ:1|", "x", ""]);
    assert.deepEqual(await parts(HOSTILE.name), [`${HOSTILE.name}:1|`, "q", ""]);
    assert.deepEqual(await parts("cut"), ["cut", "\\xFF", ".name:1|c"]);
    assert.equal(await page.locator("main img, main script").count(), 0);
    await close(page);
  },

  "a hostile name, its tag and its line are text in every view": async ({ url }) => {
    const page = await open(`${url}#/series?match=${encodeURIComponent("<img")}`);
    const row = rowNamed(page, "#series-table", HOSTILE.name);
    await row.first().waitFor();
    assert.ok((await row.first().innerText()).includes(HOSTILE.tag.join(":")));
    await row.first().locator("a.name").click();
    await page.waitForSelector("#detail-body:not([hidden])");
    assert.equal(await text(page, "#detail-name"), HOSTILE.name);
    assert.ok((await text(page, "#detail-line")).startsWith("<img"));
    for (const by of ["rate", "series", "bytes", "tag"]) {
      await page.goto(`${url}#/top/${by}`);
      await page.waitForSelector("#top-table tbody tr");
    }
    assert.equal(await page.locator("main img, main script, main b b").count(), 0);
    assert.doesNotMatch(await page.title(), /owned/);
    await close(page);
  },

  "a counter's charts draw count and rate": async ({ url }) => {
    const page = await open(url);
    await page.locator("#busiest tbody tr", { hasText: "counter" }).first().locator("a.name").click();
    await page.waitForSelector("#detail-body:not([hidden])");
    const charts = page.locator("#detail-charts .panel");
    assert.deepEqual(await charts.locator("h2").allInnerTexts(), ["Count, window by window", "Rate a second"]);
    await eventually("columns", () => drawn(page, "#detail-charts .panel:nth-child(1) .chart", "blue"), (count) => count > 100);
    await eventually("line", () => drawn(page, "#detail-charts .panel:nth-child(2) .chart", "teal"), (count) => count > 3);
    assert.match(await text(page, "#detail-line"), / count=[\d.]+,rate=[\d.]+ \d+$/);
    assert.match(await text(page, "#detail-facts"), /Last sender\s+127\.0\.0\.1:\d+/);
    await close(page);
  },

  "a timer's chart draws mean and percentiles, each to be hidden": async ({ url }) => {
    const page = await open(url);
    await openSeries(page, url, "response_time");
    const keys = await page.locator("#detail-charts .panel").first().locator(".key").allInnerTexts();
    assert.deepEqual(keys.map((key) => key.split(/\s/)[0]), ["mean", "p50", "p75", "p95", "p99", "p999", "max"]);
    const red = () => drawn(page, "#detail-charts .chart", "red");
    await eventually("p99", red, (count) => count > 3);
    await page.locator(".key", { hasText: /^p99\s/ }).click();
    await eventually("p99 hidden", red, (count) => count === 0);
    await close(page);
  },

  "gauges and sets have their chart, gauges say how long they are written again": async ({ url }) => {
    const page = await open(url);
    await openSeries(page, url, "queue.depth");
    await eventually("steps", () => drawn(page, "#detail-charts .chart", "blue"), (count) => count > 3);
    assert.match(await text(page, "#detail-facts"), /Written again for\s+\d/);
    await openSeries(page, url, "users.active");
    await eventually("columns", () => drawn(page, "#detail-charts .chart", "blue"), (count) => count > 20);
    await close(page);
  },

  "a series that is not known says so": async ({ url }) => {
    const page = await open(`${url}#/series/ffffffffffffffff`);
    await page.waitForSelector("#detail-error:not([hidden])");
    assert.match(await text(page, "#detail-error"), /comes back by itself/);
    await close(page);
    forgive(/status of 404/);
  },

  "search, filter and sort find series, and the url holds them over a reload": async ({ url }) => {
    const page = await open(`${url}#/series`);
    await page.waitForSelector("#series-table tbody tr");
    await page.fill("#match", "*time");
    await page.selectOption("#kind", "timer");
    await page.selectOption("#sort", "name");
    await eventually("names", () => page.locator("#series-table a.name").allInnerTexts(),
                     (names) => names.length > 0 && names.every((name) => name.endsWith("time")));
    const before = page.url();
    assert.match(before, /#\/series\?match=\*time&kind=timer&sort=name$/);
    await page.reload();
    await page.waitForSelector("#series-table tbody tr");
    assert.equal(page.url(), before);
    assert.equal(await page.inputValue("#match"), "*time");
    assert.ok((await page.locator("#series-table a.name").allInnerTexts()).every((name) => name.endsWith("time")));
    await page.fill("#match", "no.such.name");
    await page.waitForSelector("#series-empty:not([hidden])");
    await close(page);
  },

  "a series stays open over a reload, and the theme is remembered": async ({ url }) => {
    const page = await open(url);
    await openSeries(page, url, "response_time");
    const before = page.url();
    await page.click("#theme");
    await page.click("#theme");
    await page.reload();
    await page.waitForSelector("#detail-body:not([hidden])");
    assert.equal(page.url(), before);
    assert.equal(await text(page, "#detail-name"), "response_time");
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
    await close(page);
  },

  "keys alone are enough": async ({ url }) => {
    const page = await open(url);
    await page.waitForSelector("#busiest tbody tr");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.locator("#busiest a.name").first().focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector("#detail-body:not([hidden])");
    await page.keyboard.press("/");
    await page.waitForSelector("#series:not([hidden])");
    await page.keyboard.type("hits");
    assert.equal(await page.inputValue("#match"), "hits");
    await page.goto(url);
    await page.locator("#lost-button").focus();
    await page.keyboard.press("Space");
    await page.waitForSelector("#where:not([hidden])");
    assert.equal(await page.getAttribute("#lost-button", "aria-expanded"), "true");
    await close(page);
  },

  "nothing on the first screen moves while numbers do": async ({ url }) => {
    const page = await open(url);
    await page.waitForSelector("#busiest tbody tr");
    await eventually("when it was lost", () => text(page, "#lost-lately"), (shown) => shown !== "");
    await page.evaluate(() => {
      window.shifts = [];
      new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map((shift) => shift.value)))
        .observe({ type: "layout-shift" });
    });
    const windows = () => text(page, "#process div:has-text('Windows written') dd");
    const first = digits(await windows());
    await eventually("windows", async () => digits(await windows()), (count) => count >= first + 4);
    const moved = await page.evaluate(() => window.shifts.reduce((sum, shift) => sum + shift, 0));
    assert.ok(moved < 0.02, `it moved by ${moved}`);
    await close(page);
  },

  "a destination that fails says so, with what waits, and catches up when it answers again": async (daemon) => {
    const page = await open(daemon.url);
    await page.waitForSelector("#destinations .state[data-state=ok]");
    await daemon.failDestination();
    await page.waitForSelector("#destinations .state[data-state=failing]");
    assert.match(await text(page, "#destinations .answer"), /refused|answers/);
    const cells = () => page.locator("#destinations td.number").allInnerTexts();
    await eventually("what waits on disk", cells, ([, , onDisk]) => /^[1-9][\d,]* \(.*B\)$/.test(onDisk));
    await page.screenshot({ path: path.join(output, "failing.png"), fullPage: true });
    await daemon.healDestination();
    await page.waitForSelector("#destinations .state[data-state=ok]");
    await eventually("nothing that waits", cells, ([, inMemory, onDisk, behind]) =>
      `${inMemory} ${onDisk} ${behind}` === "0 0 no");
    assert.match(await text(page, "#destinations .answer"), /^204/);
    await close(page);
  },

  "the first line to try names a listener, and what it sends arrives": async () => {
    const daemon = new Daemon({ silent: true });
    await daemon.start();
    const page = await open(daemon.url);
    await page.waitForSelector("#nothing:not([hidden])");
    assert.match(await text(page, "#try-line"), /^echo "hits:1\|c" \| nc -u -q0 127\.0\.0\.1 \d+$/);
    if (daemon.send) {
      assert.equal(Number((await text(page, "#try-line")).split(" ").at(-1)), daemon.udp);
      await daemon.send("hits:1|c\n");
      await page.waitForSelector("#nothing", { state: "hidden" });
    }
    await close(page);
    await daemon.destroy();
  },

  "a token is asked for, kept for the tab, and never in the url": async () => {
    const daemon = new Daemon({ token: "correct horse" });
    await daemon.start();
    const page = await open(`${daemon.url}#/config`);
    await page.fill("#token", "wrong");
    await page.keyboard.press("Enter");
    await eventually("what is wrong", () => text(page, "#login-error"), (shown) => shown !== "");
    await page.fill("#token", "correct horse");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#config-text span");
    await page.reload();
    await page.waitForSelector("#config-text span");
    assert.doesNotMatch(page.url(), /horse/);
    await close(page);
    await daemon.destroy();
    forgive(/status of 401/);
  },

  "it says when tallyd is away, and comes back by itself": async () => {
    const daemon = new Daemon();
    await daemon.start();
    const page = await open(daemon.url);
    await isLive(page);
    await page.waitForSelector("#busiest tbody tr");
    await daemon.kill();
    await page.waitForSelector("#away:not([hidden])");
    assert.match(await text(page, "#away"), /does not answer since/);
    await daemon.start();
    await isLive(page);
    await page.waitForSelector("#away", { state: "hidden" });
    await eventually("lines a second", () => text(page, "#lines-now"), (shown) => parseFloat(shown) > 0);
    await close(page);
    await daemon.destroy();
    forgive(/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE/);
  },

  "it works below a path": async ({ url }) => {
    const gateway = await underPrefix(url, "/tools/tallyd/");
    const page = await open(gateway.url);
    await isLive(page);
    await page.waitForSelector("#busiest tbody tr");
    await close(page);
    gateway.close();
  },

  "numbers, sizes and times are written as people read them": async ({ url }) => {
    const page = await open(url);
    const made = await page.evaluate(async () => {
      const { ago, bytes, duration, niceCeiling, number, short } = await import("./format.js");
      return [number(1234567), number(0.125), number(null), number(1e300), short(0), short(999), short(1000), short(12345),
              short(-4200), short(0.0012), short(999950), bytes(512), bytes(33554432), duration(120), duration(4200),
              duration(60000), duration(11520000), duration(90061000), ago(400), ago(61000), niceCeiling(0), niceCeiling(1100)];
    });
    assert.deepEqual(made, ["1,234,567", "0.125", "–", made[3], "0", "999", "1k", "12.3k", "-4.2k", "0.0012", "1M", "512 B",
                            "32 MiB", "120 ms", "4.2 s", "1 min", "3 h 12 min", "1 d 1 h", "now", "1 min 1 s ago", 1, 1200]);
    await close(page);
  },
};

// What the mock does not play.
const claimsOfTallyd = {
  "without a history the page says so in each view that needs it": async () => {
    const daemon = new Daemon({ keys: { "http.history": "0" } });
    await daemon.start();
    const page = await open(daemon.url);
    for (const [hash, place] of [["#/", "#busiest-empty"], ["#/series", "#series-empty"], ["#/top/bytes", "#top-empty"]]) {
      await page.goto(`${daemon.url}${hash}`);
      await eventually(hash, () => text(page, place), (shown) => shown.includes("http.history is 0"));
    }
    await page.goto(`${daemon.url}#/top/sender`);
    await page.waitForSelector("#top-table tbody tr");
    await page.goto(daemon.url);
    await eventually("lines a second", () => text(page, "#lines-now"), (shown) => parseFloat(shown) > 0);
    await close(page);
    await daemon.destroy();
  },

  "without a database the destination is called standard output": async () => {
    const daemon = new Daemon({ keys: { "influxdb.url": "" } });
    await daemon.start();
    const page = await open(daemon.url);
    await page.waitForSelector("#destinations .state[data-state=printed]");
    assert.match(await text(page, "#destinations tbody th"), /^standard output\s+influxdb.url is empty$/);
    await close(page);
    await daemon.destroy();
  },
};
if (Daemon === Tallyd) Object.assign(claims, claimsOfTallyd);

// Each view at both widths and in both themes: no horizontal scroll, and a screenshot.
for (const [shape, width] of Object.entries(WIDTHS)) {
  for (const theme of ["light", "dark"]) {
    claims[`every view fits ${width} pixels, ${theme}`] = async ({ url }) => {
      const page = await open(url, { width, theme });
      await page.waitForSelector("#busiest tbody tr");
      for (const [view, hash] of Object.entries(VIEWS)) await fits(page, `${url}${hash}`, `${view}-${shape}-${theme}`);
      for (const [name, view] of [["response_time", "timer"], ["queue.depth", "gauge"]]) {
        await openSeries(page, url, name);
        await fits(page, page.url(), `${view}-${shape}-${theme}`);
      }
      await close(page);
    };
  }
}

async function fits(page, url, name) {
  await page.goto(url);
  await page.waitForSelector(".view:not([hidden])");
  await eventually("something to see", () => page.evaluate(() => {
    const view = document.querySelector(".view:not([hidden])");
    const hasText = [...view.querySelectorAll("tbody, pre, ol")].some((part) => part.innerText.trim() !== "");
    const areDrawn = [...view.querySelectorAll(".chart")].every((chart) => chart.querySelector("canvas"));
    return hasText && areDrawn;
  }), (isThere) => isThere);
  await page.screenshot({ path: path.join(output, `${name}.png`), fullPage: true });
  const [content, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= room, `${name} is ${content} pixels wide`);
}

// Complaints that a claim has caused on purpose.
function forgive(pattern) {
  for (let at = complaints.length - 1; at >= 0; --at) if (pattern.test(complaints[at])) complaints.splice(at, 1);
}

// ---------------------------------------------------------------------------- running them

let failed = 0;

async function prove(name, claim, daemon) {
  try {
    await claim(daemon);
    if (complaints.length > 0) throw new Error(`the console says: ${complaints.slice(0, 3).map((said) => said.slice(0, 300)).join("; ")}`);
    console.log(`PASS ${name}`);
  } catch (error) {
    ++failed;
    const why = error.message.split("\n").map((line) => line.trim()).filter(Boolean).slice(0, 6).join(" ");
    console.log(`FAIL ${name}: ${why}`);
  }
  complaints.length = 0;
}

async function main() {
  fs.mkdirSync(output, { recursive: true });
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
  const daemon = new Daemon();
  await daemon.start();
  try {
    for (const [name, claim] of Object.entries(claims)) if (name.includes(only)) await prove(name, claim, daemon);
  } finally {
    await browser.close();
    await daemon.destroy();
  }
  process.exit(failed > 0 ? 3 : 0);
}

main();
