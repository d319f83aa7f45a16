#!/usr/bin/env python3
"""Serves the page of src/watch/page and an API of made-up, moving numbers: to work on the page, and for its test.

    mock_server.py [--port N] [--speed X] [--interval MS] [--token TEXT] [--silent] [--series N]

Prints its url when it listens. Time passes X times as fast as it does. With --silent nothing ever arrives. What
the real daemon would need trouble for is done by POST:

    /mock/drop?datagrams=N      the kernel drops N
    /mock/refuse                some lines are refused
    /mock/destination?state=S   "failing" or "ok"

The shapes are those of the API under /api/v1. Names, tags, senders and refused lines are hostile here and there.
"""

import argparse
import json
import math
import queue
import random
import socketserver
import threading
import time
from collections import Counter, deque
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

PAGE = Path(__file__).resolve().parents[2] / "src/watch/page"
DYGRAPHS = Path("/usr/share/javascript/dygraphs")
CONTENT_TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
                 ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                               "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
}

WINDOWS = 60
SPARK = 30
PERCENTILES = {"p50": 0.9, "p75": 1.2, "p95": 2.1, "p99": 3.4, "p999": 6.0}
TIMERS = ("timer", "histogram", "distribution")
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
REASONS = ("missing_value missing_type empty_name bad_value bad_rate bad_timestamp unknown_type dialect_off bad_notice "
           "invalid_utf8 reserved_name name_too_long tag_too_long too_many_tags series_too_long truncated line_too_long "
           "series_limit overflow notice_limit").split()
DROPS = ("outbox_full refused type_conflict beyond_retention series_limit spool_full spool_age spool_damaged "
         "shutdown").split()
REFUSED = [("page.views:one|c", 11, "bad_value"), ("größe.λ:1|x", 13, "unknown_type"), ("login:12.5", 10, "missing_type"),
           ("long." + "x" * 400 + ":1|q", 408, "unknown_type"), (f"{HOSTILE}:1|q", len(HOSTILE) + 3, "unknown_type"),
           ("rtl\u202e.name:\tx|ms", 12, "bad_value"), ("cut\udcff.name:1|c", 3, "invalid_utf8")]


class Series:
    """One series and its last windows: a dict of fields each, None where it was not heard."""

    def __init__(self, number, name, kind, level, tags=None, gaps=0.0):
        self.id = f"{number:016x}"
        self.name, self.kind, self.level, self.tags, self.gaps = name, kind, level, tags or {}, gaps
        self.windows = deque([None] * WINDOWS, WINDOWS)
        self.last_seen = None
        self.phase = number * 1.7

    def draw(self, dice, tick, interval_s):
        if dice.random() < self.gaps:
            return None
        value = self.level * (1 + 0.3 * math.sin(tick / 9 + self.phase) + 0.1 * dice.random())
        if self.kind == "counter":
            return {"count": round(value * interval_s), "rate": round(value * interval_s) / interval_s}
        if self.kind == "gauge":
            return {"value": round(value, 2)}
        if self.kind == "set":
            return {"count": round(value)}
        fields = {"count": round(40 * interval_s), "mean": round(value, 3), "min": round(value / 5, 3),
                  "max": round(value * 9, 3), "sum": round(40 * interval_s * value, 3), "stddev": round(value / 2, 3)}
        return fields | {name: round(value * times, 3) for name, times in PERCENTILES.items()}

    def close(self, fields, start):
        self.windows.append(fields)
        if fields is not None:
            self.last_seen = start

    def main(self, fields):
        if fields is None:
            return None
        return fields["mean" if self.kind in TIMERS else "value" if self.kind == "gauge" else "count"]

    def rate(self, interval_s):
        fields = self.windows[-1]
        if fields is None:
            return 0
        return fields["rate"] if self.kind == "counter" else fields.get("count", 1) / interval_s

    def row(self, interval_s):
        heard = [self.main(fields) for fields in self.windows if fields is not None]
        return {"id": self.id, "name": self.name, "kind": self.kind, "tags": self.tags,
                "last": heard[-1] if heard else None, "rate": self.rate(interval_s), "last_seen": self.last_seen,
                "spark": [self.main(fields) for fields in list(self.windows)[-SPARK:]]}

    def detail(self, interval_ms, now):
        names = list(next((fields for fields in self.windows if fields), {}))
        end = self.last_seen or now
        line = ",".join(f"{name}={value}" for name, value in (self.windows[-1] or {}).items())
        return {"id": self.id, "name": self.name, "kind": self.kind, "tags": self.tags,
                "windows": [end - (WINDOWS - 1 - at) * interval_ms for at in range(WINDOWS)],
                "fields": {name: [fields and fields[name] for fields in self.windows] for name in names},
                "last_seen": end, "last_sender": "127.0.0.1:4711", "ttl_ms": 3_540_000 if self.kind == "gauge" else None,
                "line": f"{self.name}.{self.kind},host=web1 {line} {end // 1000}"}


def made_up_series(more):
    plain = [("count_request", "counter", 1250, {}), ("response_time", "timer", 12.5, {}), ("queue.depth", "gauge", 17, {}),
             ("users.active", "set", 310, {}), ("upload.size", "histogram", 48_000, {"unit": "bytes"}),
             (HOSTILE, "counter", 7, {"<b>key</b>": "<script>alert(1)</script>"}), ("größe.λ.\u202ertl", "gauge", 3, {})]
    for service in ("api", "auth", "billing", "search"):
        for env in ("prod", "canary"):
            share = 1 if env == "prod" else 0.05
            tags = {"env": env, "region": "eu-central-1"}
            plain += [(f"{service}.hits", "counter", 420 * share, tags), (f"{service}.time", "timer", 23, tags),
                      (f"{service}.errors", "counter", 2 * share, tags), (f"{service}.pool", "gauge", 40 * share, tags)]
    plain += [(f"job.{number:05d}.done", "counter", 0.5, {}) for number in range(more)]
    return [Series(number, *one, gaps=0.4 if ".errors" in one[0] else 0.0) for number, one in enumerate(plain, 1)]


OWN = [("tallyd.datagrams", {"state": "received"}, "datagrams"), ("tallyd.lines", {"state": "accepted"}, "lines"),
       ("tallyd.points", {"state": "written"}, "points"), ("tallyd.lost", {}, "lost")]


class World:
    """All that the API tells. One lock; a thread makes time pass."""

    def __init__(self, options):
        self.lock = threading.Lock()
        self.options = options
        self.interval = options.interval
        self.dice = random.Random(1)
        self.series = [] if options.silent else made_up_series(options.series)
        self.own = {} if options.silent else {
            key: Series(10_000_000 + at, name, "counter", 0, tags) for at, (name, tags, key) in enumerate(OWN)}
        self.listeners = []
        self.began = time.time()
        self.now = int(self.began * 1000) - WINDOWS * self.interval
        self.now -= self.now % self.interval
        self.started = self.now
        self.total = Counter()      # since the start
        self.before = Counter()     # at the start of the open window
        self.refused_by = Counter()
        self.refused = deque(maxlen=100)
        self.state = "ok"
        while self.now < self.began * 1000:
            self.step()

    def run(self):
        while True:
            time.sleep(1 / self.options.speed)
            with self.lock:
                self.step()

    def step(self):
        """One second."""
        self.now += 1000
        if not self.options.silent:
            self.receive()
        if self.now % self.interval < 1000:
            self.close_window()
        self.tell("pulse", self.pulse())

    def receive(self):
        wave = 1 + 0.25 * math.sin(self.now / 23_000) + 0.05 * self.dice.random()
        self.second = Counter(datagrams=round(830 * wave), lines=round(4100 * wave), samples=round(4400 * wave))
        self.total += self.second
        self.total["bytes"] += 160 * self.second["lines"] // 5

    def close_window(self):
        start = self.now - self.interval
        tick = self.now // self.interval
        seconds = self.interval / 1000
        for one in self.series:
            one.close(one.draw(self.dice, tick, seconds), start)
        points = sum(one.windows[-1] is not None for one in self.series)
        self.total["points"] += points
        self.total["windows"] += 1
        for key, own in self.own.items():
            count = self.total[key] - self.before[key]
            own.close({"count": count, "rate": count / seconds}, start)
        lost = self.total["lost"] - self.before["lost"]
        self.before = Counter(self.total)
        self.points_s = points / seconds
        self.tell("window", {"start": start, "end": self.now, "series": points, "points": points, "flush_ms": 2.1,
                             "lost": self.total["lost"], "lost_in_window": lost, "destinations": self.destinations(),
                             "busiest": self.find({"limit": "20", "own": "0"})["series"]})

    points_s = 0
    second = Counter()

    def pulse(self):
        return {"now": self.now, "datagrams_s": self.second["datagrams"], "lines_s": self.second["lines"],
                "samples_s": self.second["samples"], "points_s": self.points_s, "kernel_drops": self.total["kernel"],
                "lost": self.total["lost"], "balances": True, "series": len(self.series)}

    def tell(self, event, data):
        text = f"event: {event}\ndata: {json.dumps(data)}\n\n"
        for listener in self.listeners:
            listener.put(text)

    # ------------------------------------------------------------------------------ trouble, on request

    def drop(self, query):
        count = int(query["datagrams"])
        self.total.update(kernel=count, lost=count)

    def refuse(self, _):
        for line, caret, reason in REFUSED:
            self.total.update(lines=1, refused=1, lost=1)
            self.refused_by[reason] += 1
            before = max(len(line) - 200, 0)  # of these lines the end is what decides
            kept = line[before:].encode(errors="surrogateescape")
            text = kept.decode(errors="replace")
            hex_of = {} if text.encode() == kept else {"bytes": kept.hex()}  # no UTF-8
            self.refused.appendleft({"line": text, **hex_of, "caret": caret - before,
                                     "before": before, "after": 0, "reason": reason, "sender": "127.0.0.1:39817",
                                     "listener": "udp 127.0.0.1:8125", "at": self.now})

    def destination(self, query):
        self.state = query["state"]

    # ------------------------------------------------------------------------------ answers

    def ledger(self, _):
        total = self.total
        lines, refused = total["lines"], total["refused"]
        spooled = 41_300 if self.state == "failing" else 0
        listener = {"name": "udp 127.0.0.1:8125", "datagrams": total["datagrams"], "bytes": total["bytes"],
                    "kernel_drops": total["kernel"], "lines": lines, "refused": refused, "denied": 0, "connections": 0,
                    "buffer_fill": 0.03, "receive_buffer": 33_554_432}
        other = listener | {"name": "tcp 127.0.0.1:8125", "datagrams": 0, "bytes": 0, "kernel_drops": 0, "lines": 0,
                            "refused": 0, "buffer_fill": 0.0, "receive_buffer": 0, "connections": 3}
        return {"now": self.now, "version": "0.1.0", "host": "web1", "started": self.started,
                "uptime_s": (self.now - self.started) / 1000, "interval_ms": self.interval,
                "window": {"start": self.now - self.now % self.interval, "series": len(self.series)},
                "whole": True, "balances": True, "lost": total["lost"],
                "datagrams": {"received": total["datagrams"], "dropped_by_kernel": total["kernel"], "truncated": 0,
                              "empty": 0, "denied": 0, "bytes": total["bytes"]},
                "lines": {"seen": lines, "accepted": lines - refused, "refused": refused,
                          "refused_by": {reason: self.refused_by[reason] for reason in REASONS}},
                "samples": total["samples"], "samples_late": 0, "times_ignored": 0, "fields_skipped": 0,
                "points": {"flushed": total["points"] + spooled, "written": total["points"], "queued": 0,
                           "spooled": spooled, "dead": 0, "dropped": 0, "dropped_by": dict.fromkeys(DROPS, 0)},
                "windows": {"closed": total["windows"], "late": 0, "joined": 0},
                "listeners": [listener, other], "destinations": self.destinations(),
                "limits": [{"name": "series", "used": len(self.series), "max": 1_000_000, "hit": 0},
                           {"name": "set_members", "used": None, "max": 4096, "hit": 2},
                           {"name": "connections", "used": 3, "max": 1024, "hit": 0},
                           {"name": "name_bytes", "used": None, "max": 512, "hit": 0},
                           {"name": "outbox_bytes", "used": 0, "max": 64 << 20, "hit": 0},
                           {"name": "spool_bytes", "used": 900_000_000 if spooled else 0, "max": 1 << 30, "hit": 0},
                           {"name": "history_bytes", "used": 34_000, "max": 32 << 20, "hit": 0}],
                "memory": {"resident": 15_300_000},
                "history": {"series": len(self.series), "bytes": 34_000, "bytes_max": 33_554_432, "left_out": 0}}

    def destinations(self):
        failing = self.state == "failing"
        answer = "nothing answers at http://127.0.0.1:8086: connection refused; start InfluxDB or correct influxdb.url"
        spooled = 41_300 if failing else 0
        return [{"name": "127.0.0.1:8086", "url": "http://127.0.0.1:8086", "api": "1", "server": "InfluxDB 1.6.7",
                 "state": self.state, "last_answer": answer if failing else "204", "last_answer_at": self.now - 3100,
                 "last_success_at": self.now - (310_000 if failing else 3100), "pushed": self.total["points"] + spooled,
                 "written": self.total["points"], "queued": 0, "queued_bytes": 0, "spooled": spooled,
                 "spool_bytes": 2_450_000 if failing else 0, "dead": 0, "dropped": 0, "recovered": 0,
                 "requests": self.total["windows"], "retries": 0, "backlog_age_ms": 307_000 if failing else None,
                 "eta_ms": None}]

    def everything(self):
        return self.series + list(self.own.values())

    def find(self, query):
        match = query.get("match", "")
        pattern = match if "*" in match or "?" in match else f"*{match}*"
        found = [one for one in self.everything() if fnmatchcase(one.name, pattern.replace("[", "[[]"))
                 and query.get("kind", one.kind) == one.kind and one.last_seen is not None
                 and not (query.get("own") == "0" and one.name.startswith("tallyd."))]
        seconds = self.interval / 1000
        keys = {"name": lambda one: one.name, "last": lambda one: one.row(seconds)["last"],
                "bytes": lambda one: len(one.name), "rate": lambda one: one.rate(seconds)}
        found.sort(key=keys[query.get("sort", "rate")], reverse=query.get("order", "desc") == "desc")
        first, limit = int(query.get("offset", 0)), int(query.get("limit", 100))
        return {"total": len(self.everything()), "matched": len(found),
                "series": [one.row(seconds) for one in found[first:first + limit]]}

    def one(self, wanted):
        found = [series for series in self.everything() if series.id == wanted]
        return found[0].detail(self.interval, self.now) if found else None

    def refused_lines(self, _):
        return {"total": self.total["refused"], "refused": list(self.refused)}

    def top(self, query):
        by = query.get("by", "rate")
        seconds = self.interval / 1000
        busiest = sorted(self.series, key=lambda one: -one.rate(seconds))
        prefixes = Counter(one.name.rsplit(".", 1)[0] + ".*" for one in self.series if "." in one.name)
        tags = Counter(key for key, _ in {pair for one in self.series for pair in one.tags.items()})
        rows = {
            "rate": [one.row(seconds) | {"value": one.rate(seconds)} for one in busiest],
            "series": [{"name": name, "value": count} for name, count in prefixes.most_common()],
            "bytes": [{"name": one.name, "value": 90 + 7 * len(one.name)} for one in busiest],
            "sender": [{"name": f"127.0.0.1:{port}", "value": port / 30, "datagrams": port, "bytes": port * 41,
                        "lines": port * 5, "refused": port % 2} for port in (52713, 39817, 4711)],
            "tag": [{"name": key, "value": count, "example": "api.hits"} for key, count in tags.most_common()],
        }[by]
        return {"by": by, "window": self.now, "rows": [] if self.options.silent else rows[:int(query.get("limit", 20))]}

    def config(self, _):
        text = ('[flush]\ninterval = "10s"  # default\n\n[listen]\nudp = ["127.0.0.1:8125"]  # default\n\n[influxdb]\n'
                'url = "http://127.0.0.1:8086"  # default\npassword = "***"  # tallyd.toml:12\n')
        return {"config": text, "values": {"flush.interval": "10s"}}


class Handler(BaseHTTPRequestHandler):
    world = None
    files = {f"/{path.name}": path for path in [*PAGE.iterdir(), *DYGRAPHS.glob("dygraph.min.*s")]}

    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        file = self.files.get("/index.html" if url.path == "/" else url.path)
        if file:
            self.answer(200, file.read_bytes(), CONTENT_TYPES[file.suffix])
        elif self.world.options.token and self.headers.get("Authorization") != f"Bearer {self.world.options.token}":
            self.answer_json(401, {"error": "this tallyd wants its token: Authorization: Bearer, see http.token_file"})
        elif url.path == "/api/v1/stream":
            self.stream()
        else:
            self.ask(url.path.removeprefix("/api/v1/"), query)

    def ask(self, path, query):
        world = self.world
        what = {"ledger": world.ledger, "series": world.find, "refused": world.refused_lines, "top": world.top,
                "config": world.config}.get(path)
        with world.lock:
            found = what(query) if what else world.one(unquote(path.removeprefix("series/")))
        if found is None:
            self.answer_json(404, {"error": "no such series was heard in the last 60 windows"})
        else:
            self.answer_json(200, found)

    def do_POST(self):
        url = urlsplit(self.path)
        with self.world.lock:
            {"/mock/drop": self.world.drop, "/mock/refuse": self.world.refuse,
             "/mock/destination": self.world.destination}[url.path](dict(parse_qsl(url.query)))
        self.answer_json(200, {})

    def answer_json(self, status, value):
        self.answer(status, json.dumps(value).encode(), "application/json")

    def answer(self, status, body, content_type):
        self.head(status, content_type, {"Content-Length": str(len(body))})
        self.wfile.write(body)

    def head(self, status, content_type, more):
        self.send_response(status)
        for name, value in (HEADERS | {"Content-Type": content_type} | more).items():
            self.send_header(name, value)
        self.end_headers()

    def stream(self):
        mine = queue.Queue()
        with self.world.lock:  # time does not pass while one comes or goes
            self.world.listeners.append(mine)
        self.head(200, "text/event-stream", {})
        try:
            while True:
                self.wfile.write(mine.get().encode())
        except OSError:
            with self.world.lock:
                self.world.listeners.remove(mine)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def server_bind(self):  # not HTTPServer's: it asks a name service who we are
        socketserver.TCPServer.server_bind(self)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--speed", type=float, default=1)
    options.add_argument("--interval", type=int, default=10_000, metavar="MS")
    options.add_argument("--token", default="")
    options.add_argument("--series", type=int, default=300, metavar="N", help="more series, to fill the lists")
    options.add_argument("--silent", action="store_true")
    Handler.world = World(options.parse_args())
    server = Server(("127.0.0.1", Handler.world.options.port), Handler)
    threading.Thread(target=Handler.world.run, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_address[1]}/", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
