"""A tallyd on free ports whose window is closed by nothing but its stop, and the points that it prints."""

import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 10

# Also those who send by themselves: the Datadog clients report on their own sending.
OWN_REPORTS = ("tallyd.", "datadog.dogstatsd.client.")


@dataclass(frozen=True)
class Point:
    measurement: str
    tags: frozenset  # of (key, value)
    fields: dict     # name: float, or str in events and service checks
    stamp: str       # digits; of seconds, milliseconds or nanoseconds

    def seconds(self):
        """Since 1970. Ten digits are seconds, until 2286."""
        return int(self.stamp) / 10 ** (len(self.stamp) - 10)


def endless_interval():
    """(text, seconds) of an interval whose next boundary is at least half a minute away."""
    now = time.time()
    minutes = max((60, 59), key=lambda length: length * 60 - now % (length * 60))
    return f"{minutes}m", minutes * 60


class Tallyd:
    """Listens for UDP and whatever else `listen` names, until stop(). Use it in a `with`."""

    def __init__(self, program, listen=(), settings=()):
        self.directory = Path(tempfile.mkdtemp(prefix="tallyd-clients-"))
        self.interval, self.interval_s = endless_interval()
        keys = {"influxdb.url": "", "flush.interval": self.interval, "tags.host": "",
                "http.listen": "", "admin.listen": "",
                "listen.udp": '["127.0.0.1:0"]'}
        keys.update({f"listen.{kind}": f'["{self._wanted(kind)}"]' for kind in listen})
        keys.update(settings)
        arguments = [argument for key, value in keys.items() for argument in ("--set", f"{key}={value}")]
        self._process = subprocess.Popen([program, *arguments], text=True, cwd=self.directory,
                                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._log = self._read_until_ready()
        self.log = self._log

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _wanted(self, kind):
        return "127.0.0.1:0" if kind in ("udp", "tcp") else self.directory / f"{kind}.sock"

    def _read_until_ready(self):
        """What it said until it was ready, or all that it said."""
        alarm = threading.Timer(PATIENCE_S, self._process.kill)
        alarm.start()
        said = ""
        for line in self._process.stderr:
            said += line
            if " ready: " in line:
                break
        else:
            self._process.wait()
        alarm.cancel()
        if self._process.poll() is not None:
            self._process.communicate()
            shutil.rmtree(self.directory, ignore_errors=True)
            raise RuntimeError(f"tallyd did not start: {said.strip()}")
        return said

    def address(self, kind):
        """What a client is given: host:port, or a path."""
        if kind not in ("udp", "tcp", "admin"):
            return str(self._wanted(kind))
        found = re.search(rf"\b{kind} (127\.0\.0\.1:\d+): listening", self._log)
        if not found:
            raise RuntimeError(f"tallyd does not say where it listens for {kind}: {self._log.strip()}")
        return found[1]

    def stop(self):
        """The points of the window, all that was heard; `log` is then complete."""
        self._process.send_signal(signal.SIGTERM)
        try:
            output, rest = self._process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"tallyd still runs {PATIENCE_S} s after SIGTERM") from None
        self.log = self._log + rest
        if self._process.returncode != 0:
            raise RuntimeError(f"tallyd ended with status {self._process.returncode}: {self.log.strip()}")
        points = [parse_point(line) for line in output.splitlines() if line]
        return [point for point in points if not point.measurement.startswith(OWN_REPORTS)]

    def totals(self):
        """{"accepted": lines, "refused": lines, "dropped by the kernel": datagrams, "dropped": points}"""
        last = self.log.strip().rsplit("\n", 1)[-1]
        counts = re.findall(r"(\d+) (?:lines )?(accepted|refused|dropped by the kernel|dropped)\b", last)
        if len(counts) != 4:
            raise RuntimeError(f"no totals in the last line of the log: {last}")
        return {what: int(number) for number, what in counts}

    def losses(self):
        """What was lost, as text; empty if nothing was."""
        return ", ".join(f"{number} {what}" for what, number in self.totals().items()
                         if number and what != "accepted")


# ------------------------------------------------------------------------------ line protocol

TOKEN = re.compile(r'(?:\\.|"(?:\\.|[^"\\])*"|[^\\" ])+')


def split_unescaped(text, separator):
    return re.findall(rf'(?:\\.|"(?:\\.|[^"\\])*"|[^\\"{separator}])+', text)


def unescape(text):
    return re.sub(r"\\([,= \\\"])", r"\1", text)


def parse_value(text):
    return unescape(text[1:-1]) if text.startswith('"') else float(text)


def parse_point(line):
    series, fields, stamp = TOKEN.findall(line)
    measurement, *tags = split_unescaped(series, ",")
    pairs = [split_unescaped(field, "=") for field in split_unescaped(fields, ",")]
    return Point(unescape(measurement),
                 frozenset(tuple(map(unescape, split_unescaped(tag, "="))) for tag in tags),
                 {unescape(name): parse_value(value) for name, value in pairs}, stamp)
