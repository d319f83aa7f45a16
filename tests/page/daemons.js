// What the page is tried with: a real tallyd that gets real traffic, or the mock server. Both answer to the same
// calls; each has a directory of its own and is killed with the test.

const { spawn } = require("child_process");
const dgram = require("dgram");
const fs = require("fs");
const http = require("http");
const os = require("os");
const path = require("path");
const { setTimeout: sleep } = require("timers/promises");

const PATIENCE_MS = 20_000;

const HOSTILE = {
  name: "<img src=x onerror=\"document.title='owned'\">",
  tag: ["<b>key</b>", "<script>alert(1)</script>"],
};

// The first match of `pattern` in what a process says on `stream`, or what it said until it ended.
function said(child, stream, pattern) {
  return new Promise((resolve, reject) => {
    let text = "";
    const fail = () => reject(new Error(`it did not start: ${text.trim().split("\n").slice(-3).join(" / ")}`));
    const timer = setTimeout(fail, PATIENCE_MS);
    child.once("exit", fail);
    stream.on("data", (piece) => {
      text += piece;
      const found = text.match(pattern);
      if (!found) return;
      clearTimeout(timer);
      child.off("exit", fail);
      resolve([found, text]);
    });
  });
}

function ended(child) {
  return child.exitCode !== null || child.signalCode !== null ? Promise.resolve()
    : new Promise((resolve) => child.once("exit", resolve));
}

class Mock {
  constructor({ token = "", silent = false } = {}) {
    this.options = ["--interval", "1000", "--series", "300", ...(token ? ["--token", token] : []),
                    ...(silent ? ["--silent"] : [])];
    this.port = 0;
  }

  // Again after kill() on the same port.
  async start() {
    const program = path.join(__dirname, "mock_server.py");
    this.child = spawn("python3", ["-B", program, "--port", String(this.port), ...this.options],
                       { stdio: ["ignore", "pipe", "inherit"] });
    const [[url]] = await said(this.child, this.child.stdout, /http:\S+/);
    this.url = url;
    this.port = Number(new URL(url).port);
  }

  async kill() {
    this.child.kill("SIGKILL");
    await ended(this.child);
  }

  dropDatagrams() { return this.#post("drop?datagrams=1250"); }
  refuse() { return this.#post("refuse"); }
  failDestination() { return this.#post("destination?state=failing"); }
  healDestination() { return this.#post("destination?state=ok"); }

  async #post(what) {
    const answer = await fetch(`${this.url}mock/${what}`, { method: "POST" });
    if (!answer.ok) throw new Error(`the mock answers ${answer.status} to ${what}`);
  }
}

const INFLUXD = "/usr/bin/influxd";

// A real InfluxDB. After close() it can be started again, at the same url and with what it held.
class Influxd {
  async start() {
    this.directory ??= fs.mkdtempSync(path.join(os.tmpdir(), "influxd-page-"));
    this.port ??= await freePort();
    this.url = `http://127.0.0.1:${this.port}`;
    fs.writeFileSync(path.join(this.directory, "influxd.toml"), `reporting-disabled = true
bind-address = "127.0.0.1:${await freePort()}"
[meta]
dir = "${this.directory}/meta"
[data]
dir = "${this.directory}/data"
wal-dir = "${this.directory}/wal"
[http]
bind-address = "127.0.0.1:${this.port}"
log-enabled = false
[monitor]
store-enabled = false
`);
    this.child = spawn(INFLUXD, ["-config", path.join(this.directory, "influxd.toml")],
                       { env: { HOME: this.directory }, stdio: ["ignore", "ignore", "pipe"] });
    await said(this.child, this.child.stderr, /Listening on HTTP|Listening for signals/);
  }

  async close() {
    this.child.kill("SIGKILL");
    await ended(this.child);
  }

  async destroy() {
    await this.close();
    fs.rmSync(this.directory, { recursive: true });
  }
}

async function freePort() {
  const server = http.createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// Where there is none: it takes everything, until it is closed.
class Substitute {
  async start() {
    this.server = http.createServer((request, response) => {
      request.resume();
      request.on("end", () => response.writeHead(204, { "X-Influxdb-Version": "1.6.7" }).end());
    });
    await new Promise((resolve) => this.server.listen(this.port ?? 0, "127.0.0.1", resolve));
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
  }

  async close() {
    this.server.close();
    this.server.closeAllConnections();
  }

  destroy() { return this.close(); }
}

const Database = fs.existsSync(INFLUXD) ? Influxd : Substitute;

class Tallyd {
  static program = null;

  // `keys` of its configuration, beside those that every test has.
  constructor({ token = "", silent = false, keys = {} } = {}) {
    this.keys = keys;
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), "tallyd-page-"));
    this.silent = silent;
    this.token = token;
    this.port = 0;
    this.database = new Database();
    this.socket = dgram.createSocket("udp4");
  }

  async start() {
    if (!this.database.url) await this.database.start();
    this.child = spawn(Tallyd.program, this.#arguments(), { cwd: this.directory, stdio: ["ignore", "ignore", "pipe"] });
    const [, text] = await said(this.child, this.child.stderr, / http \S+: listening/);
    this.port = Number(this.#port(text, "http"));
    this.udp = Number(this.#port(text, "udp"));
    this.url = `http://127.0.0.1:${this.port}/`;
    if (!this.silent) this.#sendForEver();
  }

  #arguments() {
    const keys = { "http.listen": `127.0.0.1:${this.port}`, "admin.listen": "", "listen.udp": '["127.0.0.1:0"]',
                   "listen.receive_buffer": "64KiB", "flush.interval": "1s", "influxdb.url": this.database.url,
                   "spool.directory": path.join(this.directory, "spool"), ...this.keys };
    if (this.token) {
      keys["http.token_file"] = path.join(this.directory, "token");
      fs.writeFileSync(keys["http.token_file"], this.token, { mode: 0o600 });
    }
    return Object.entries(keys).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  }

  #port(log, name) {
    const found = log.match(new RegExp(`\\b${name} 127\\.0\\.0\\.1:(\\d+)`));
    if (!found) throw new Error(`tallyd does not say where it listens for ${name}: ${log.trim()}`);
    return found[1];
  }

  // Every 50 ms, more and less.
  #sendForEver() {
    const [key, value] = HOSTILE.tag;
    let round = 0;
    this.timer = setInterval(() => {
      const hits = 4 + (++round % 40);
      // Each of its own: of a few, p99 and the largest would be the same.
      const times = Array.from({ length: 20 }, (_, at) => 5 + (round % 17) + at ** 2 / 8);
      const lines = [...Array(hits).fill("api.hits:3|c|#env:prod"), `response_time:${times.join(":")}|ms`,
                     `queue.depth:${round % 23}|g`, `users.active:user${round % 50}|s`,
                     `${HOSTILE.name}:1|c|#${key}:${value}`];
      this.send(lines.join("\n"));
    }, 50);
  }

  send(text) {
    return new Promise((resolve) => this.socket.send(text, this.udp, "127.0.0.1", resolve));
  }

  // While it stands still, more packets than its socket holds.
  async dropDatagrams() {
    this.child.kill("SIGSTOP");
    for (let sent = 0; sent < 400; ++sent) await this.send("flood:1|c\n".repeat(100));
    this.child.kill("SIGCONT");
  }

  refuse() {
    const lines = Buffer.from(`long.${"x".repeat(400)}:1|q\npage.views:one|c\ngröße.λ:1|x\nlogin:12.5\n` +
                              "<img src=x onerror=\"document.title='owned'\">:1|q\n");
    return this.send(Buffer.concat([lines, Buffer.from("cut\xff.name:1|c", "latin1")]));
  }

  failDestination() { return this.database.close(); }
  healDestination() { return this.database.start(); }

  async kill() {
    clearInterval(this.timer);
    this.child.kill("SIGKILL");
    await ended(this.child);
  }

  async destroy() {
    await this.kill();
    await this.database.destroy();
    this.socket.close();
    fs.rmSync(this.directory, { recursive: true });
  }
}

Mock.prototype.destroy = Mock.prototype.kill;

// The page below /tools/tallyd/, as behind a gateway.
async function underPrefix(url, prefix) {
  const server = http.createServer((request, response) => {
    if (!request.url.startsWith(prefix)) return response.writeHead(404).end();
    const inner = new URL(request.url.slice(prefix.length), url);
    const onward = http.request(inner, { method: request.method }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${server.address().port}${prefix}`, close };
}

module.exports = { HOSTILE, Mock, Tallyd, sleep, underPrefix };
