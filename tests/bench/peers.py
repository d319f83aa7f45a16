"""Other StatsD daemons as receivers of the bench: how each is found, started, and asked what it counted.

Each runs in a directory of its own, on ports that the kernel chose, with a window of 1 s; what it does beside
StatsD is off. Its receive buffer is set from outside, on its own socket, so that all have the same. What it has
counted is read while it runs, when the load is over; then it is killed, for it has nothing to save.
"""

import contextlib
import http.client
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from processes import (Accounting, BenchError, Receiver, borrow_sockets, dropped_packets, link_of, on_cores,
                       udp_sockets)

BENCH = Path(__file__).resolve().parent
sys.path.append(str(BENCH.parent / "clients"))

from install import Missing, Shop, node_modules  # noqa: E402

START_PATIENCE_S = 15
ANSWER_PATIENCE_S = 10
RECEIVE_BUFFER_BYTES = 32 << 20  # as tallyd sets it
SO_RCVBUFFORCE = 33  # asm-generic/socket.h


class PeerMissing(Exception):
    """Why a peer cannot be started here."""


def program_path(name):
    """Of an installed program; daemons lie where only root's PATH leads."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise PeerMissing(f"{name} is not installed")
    return found


def said_version(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                          timeout=START_PATIENCE_S, check=False)
    found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    return found[0] if found else "of an unknown version"


def udp_port_of(pid):
    """The port of a process's first UDP socket; None while it has none."""
    descriptors = f"/proc/{pid}/fd"
    mine = {link_of(f"{descriptors}/{name}") for name in os.listdir(descriptors)}
    return next((port for inode, port in udp_sockets() if inode in mine and port), None)


def widen(sockets):
    """Gives sockets the bench's receive buffer: as root above the system's limit, else up to it."""
    for each in sockets:
        try:
            each.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
        except PermissionError:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)


class Peer(Receiver):
    """A daemon that is not ours. `installed` is what find() returned."""

    DRAIN_PATIENCE_S = 60
    SETTLE_PATIENCE_S = 30  # for the window that brings the last counts: one of a million series takes long
    COUNTS_PACKETS = True
    WORKLOADS = {}  # letter: further arguments of the sender
    NOTES = ()  # what a reader of its figures must know

    def __init__(self, bench, installed):
        self.directory = Path(tempfile.mkdtemp(prefix="tallyd-peer-"))
        self.process = None
        self.sockets = []
        try:
            with on_cores(bench.cores.receiver), open(self.directory / "output", "wb") as output:
                # A group of its own: it may have children, which must end with it.
                self.process = subprocess.Popen(
                    self.command(installed), cwd=self.directory, stdin=subprocess.DEVNULL, stdout=output,
                    stderr=subprocess.STDOUT, env={"PATH": os.environ["PATH"]}, start_new_session=True)
            self.port = self._wait_for_port()
            self.sockets = borrow_sockets(self.pid, self.port)
            widen(self.sockets)
        except BaseException:
            self.kill()
            raise

    @classmethod
    def find(cls, may_install):
        """(what the constructor wants, version). Raises PeerMissing."""
        raise NotImplementedError

    def command(self, installed):
        """What starts it in the foreground; writes its config into self.directory."""
        raise NotImplementedError

    def counted(self, sent, dropped):
        """The Accounting so far of what `sent`, the sender's answer, says that was sent."""
        raise NotImplementedError

    def output(self):
        return (self.directory / "output").read_text(errors="replace")

    def _wait_for_port(self):
        end = time.monotonic() + START_PATIENCE_S
        while self.process.poll() is None and time.monotonic() < end:
            if port := udp_port_of(self.pid):
                return port
            time.sleep(0.01)
        raise BenchError(f"did not start; its last words: {self.output().strip()[-300:] or 'none'}")

    def watch(self):
        if not self.sockets:
            raise BenchError(f"no socket on port {self.port}")
        return self.sockets[0].fileno()

    def account(self, sent):
        """Asks until everything is counted, or the count has not changed for long."""
        dropped = dropped_packets(self.sockets)
        counted, since = None, time.monotonic()
        while time.monotonic() < since + self.SETTLE_PATIENCE_S:
            before, counted = counted, self.counted(sent, dropped)
            if counted.accepted == sent["metrics"] or (
                    self.COUNTS_PACKETS and counted.received == sent["packets"] - dropped):
                break
            if counted != before:
                since = time.monotonic()
            time.sleep(0.05)
        return counted

    def kill(self):
        for borrowed in self.sockets:
            borrowed.close()
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


# ------------------------------------------------------------------------------------- npm's statsd

def sum_of_windows(output):
    """(packets, lines, bad lines) of all windows that statsd_backend.js has printed."""
    windows = [json.loads(line) for line in output.splitlines() if line.startswith("{") and line.endswith("}")]
    return tuple(sum(window[key] for window in windows) for key in ("packets", "lines", "bad_lines"))


class Statsd(Peer):
    """The original. It counts packets and lines."""

    WORKLOADS = {letter: () for letter in "ABCE"}
    NOTES = ("its windows go to a backend that writes nothing but three counts, in its favour",
             "D is left out: to close a window of a million series takes it longer than 1 s")

    @classmethod
    def find(cls, may_install):
        program_path("node")
        try:
            modules = node_modules(Shop(BENCH.parent.parent / "build" / "clients", may_install))
        except Missing as why:
            raise PeerMissing(f"{why}" if may_install else "npm's statsd is not installed") from None
        package = json.loads((modules / "statsd" / "package.json").read_text())
        return modules / "statsd" / "stats.js", package["version"]

    def command(self, installed):
        config = self.directory / "config.js"
        # A port as text: the number 0 would be taken for no port given.
        config.write_text(json.dumps({
            "port": "0", "address": "127.0.0.1", "mgmt_port": "0", "mgmt_address": "127.0.0.1",
            "flushInterval": 1000, "percentThreshold": [50, 75, 95, 99, 99.9],
            "automaticConfigReload": False, "backends": [str(BENCH / "statsd_backend.js")]}))
        return [program_path("node"), "--no-deprecation", installed, config]

    def counted(self, sent, dropped):
        packets, lines, bad_lines = sum_of_windows(self.output())
        return Accounting(packets, dropped, lines - bad_lines, bad_lines)


# ------------------------------------------------------------------------------------- collectd

def counter_total(lines):
    """Of what collectd wrote in Graphite's format, `host.statsd.derive-NAME total time`: the sum of each
    counter's last total."""
    totals = {}
    for line in lines:
        name, _, rest = line.partition(b" ")
        if b".derive-" in name:
            totals[name] = int(rest.partition(b" ")[0])
    return sum(totals.values())


class GraphiteSink:
    """Takes what one client writes, and keeps it until somebody asks. Reads in a thread of its own."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._chunks = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with contextlib.suppress(OSError):  # closed
            connection, _ = self._listener.accept()
            with connection:
                while chunk := connection.recv(1 << 18):
                    self._chunks.append(chunk)

    def lines(self):
        """All that are complete."""
        return b"".join(self._chunks).split(b"\n")[:-1]

    def close(self):
        # close() alone does not wake a thread that waits in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class Collectd(Peer):
    """Counts neither packets nor lines: what its counters add up to, against what was sent, says how much it
    took; exact if it lost nothing."""

    COUNTS_PACKETS = False
    SETTLE_PATIENCE_S = 4  # after a loss nothing but that tells that it has counted all: some windows
    WORKLOADS = {"A": (), "B": (), "C": ("--kinds", "ctgs")}
    NOTES = ("it counts neither packets nor lines: what its counters add up to says how much it took",
             "C is without histograms, which it does not know",
             "E is left out: it refuses lines with tags",
             "D is left out: to close a window of a million series takes it longer than 1 s")
    CONFIG = """
        Hostname "bench"
        FQDNLookup false
        BaseDir "{directory}"
        PIDFile "{directory}/pid"
        Interval 1
        LoadPlugin statsd
        LoadPlugin write_graphite
        <Plugin statsd>
          Host "127.0.0.1"
          Port "0"
          TimerPercentile 50
          TimerPercentile 95
          TimerPercentile 99
          TimerLower true
          TimerUpper true
          TimerSum true
          TimerCount true
        </Plugin>
        <Plugin write_graphite>
          <Node "bench">
            Host "127.0.0.1"
            Port "{graphite}"
            Protocol "tcp"
            StoreRates false
          </Node>
        </Plugin>
        """

    def __init__(self, bench, installed):
        self.graphite = GraphiteSink()
        super().__init__(bench, installed)

    @classmethod
    def find(cls, may_install):
        program = program_path("collectd")
        return program, said_version(program, "-h")

    def command(self, installed):
        config = self.directory / "collectd.conf"
        config.write_text(self.CONFIG.format(directory=self.directory, graphite=self.graphite.port))
        return [installed, "-f", "-C", config]

    def counted(self, sent, dropped):
        share = counter_total(self.graphite.lines()) / sent["counter_total"]
        received = sent["packets"] - dropped  # the kernel's word for it
        return Accounting(received, dropped, int(sent["metrics"] * share))

    def kill(self):
        super().kill()
        self.graphite.close()


# ------------------------------------------------------------------------------------- netdata

def totals_of(metrics):
    """(packets, events by kind) of netdata's statsd, from its metrics in Prometheus' format."""
    def by_dimension(what):
        line = rf'^netdata_netdata_statsd_{what}_total{{.*dimension="(\w+)"}} (\d+)'
        return {dimension: int(total) for dimension, total in re.findall(line, metrics, re.MULTILINE)}

    return by_dimension("packets").get("udp", 0), by_dimension("events")


def get(path, target):
    """The body of a GET over a socket in the file system; empty while nobody answers there."""
    connection = http.client.HTTPConnection("localhost")
    with socket.socket(socket.AF_UNIX) as connection.sock, contextlib.suppress(OSError, http.client.HTTPException):
        connection.sock.settimeout(ANSWER_PATIENCE_S)
        connection.sock.connect(str(path))
        connection.request("GET", target)
        return connection.getresponse().read().decode()
    return ""


class Netdata(Peer):
    """Counts packets, and lines by kind. Keeps an hour of each series in memory."""

    WORKLOADS = {letter: () for letter in "ABCDE"}
    SERIES_MAX = 10_000  # by default 1,000: those of C shall be kept, not only counted
    NOTES = ("E: it reads tags over",
             f"D: it counts what belongs to all series, and keeps the values of {SERIES_MAX:,}")
    # Nothing is told to anybody: cloud and registry are off, and what reports its use is a plugin it does not find.
    CONFIG = """
        [global]
          run as user = {user}
          hostname = bench
          process scheduling policy = keep
          OOM score = keep
        [directories]
          config = {directory}
          stock config = {directory}/stock
          log = {directory}
          web = {directory}/web
          cache = {directory}
          lib = {directory}
          home = {directory}
          plugins = "{directory}/plugins"
        [db]
          mode = ram
        [web]
          bind to = unix:{directory}/http
        [statsd]
          bind to = udp:127.0.0.1:0
          max private charts hard limit = {series_max}
        [plugins]
          timex = no
          idlejitter = no
          tc = no
          diskspace = no
          proc = no
          cgroups = no
          enable running new plugins = no
        [cloud]
          enabled = no
        [registry]
          enabled = no
        [ml]
          enabled = no
        [health]
          enabled = no
        """

    @classmethod
    def find(cls, may_install):
        program = program_path("netdata")
        return program, said_version(program, "-v")

    def command(self, installed):
        for name in ("stock", "web", "plugins"):
            (self.directory / name).mkdir()
        (self.directory / ".opt-out-from-anonymous-statistics").touch()
        config = self.directory / "netdata.conf"
        config.write_text(self.CONFIG.format(directory=self.directory, series_max=self.SERIES_MAX,
                                             user=pwd.getpwuid(os.getuid()).pw_name))
        return [installed, "-D", "-c", config]

    def counted(self, sent, dropped):
        own = "/api/v1/allmetrics?format=prometheus&source=as-collected&filter=netdata.statsd*"
        packets, events = totals_of(get(self.directory / "http", own))
        refused = events.pop("unknown", 0) + events.pop("errors", 0)
        return Accounting(packets, dropped, sum(events.values()), refused)


PEERS = (Statsd, Collectd, Netdata)
