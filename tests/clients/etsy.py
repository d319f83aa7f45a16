"""The original statsd of npm, with one window that its stop flushes, and what that window holds."""

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from install import SOURCES, node_modules
from rig import PATIENCE_S

PERCENTILES = [50, 75, 95, 99, 99.9]


def udp_sockets():
    """(inode, port, bytes that wait to be read, datagrams dropped) of each IPv4 UDP socket."""
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        fields = line.split()
        yield fields[9], int(fields[1].split(":")[1], 16), int(fields[4].split(":")[1], 16), int(fields[12])


def tcp_listeners():
    """(inode, port) of each IPv4 TCP socket that listens."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A":
            yield fields[9], int(fields[1].split(":")[1], 16)


def until(is_done, what):
    deadline = time.monotonic() + PATIENCE_S
    while not (found := is_done()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.001)
    return found


class Etsy:
    """Use it in a `with`."""

    def __init__(self, shop, interval_s):
        modules = node_modules(shop)
        self.directory = Path(tempfile.mkdtemp(prefix="etsy-"))
        self._flushed = self.directory / "flush.json"
        config = self.directory / "config.js"
        # A port as text: the number 0 would be taken for no port given.
        config.write_text(json.dumps({
            "port": "0", "address": "127.0.0.1", "mgmt_port": "0", "mgmt_address": "127.0.0.1",
            "flushInterval": interval_s * 1000, "percentThreshold": PERCENTILES,
            "automaticConfigReload": False, "flushFile": str(self._flushed),
            "backends": [str(SOURCES / "node" / "etsy_backend.js")]}))
        self._process = subprocess.Popen(["node", "--no-deprecation", modules / "statsd/stats.js", config],
                                         text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._wait_until_up()
        self.port = until(lambda: self._port_among(udp_sockets()), "statsd opens its port")
        self.admin_port = until(lambda: self._port_among(tcp_listeners()), "statsd opens its management port")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _wait_until_up(self):
        alarm = threading.Timer(PATIENCE_S, self._process.kill)
        alarm.start()
        said = ""
        while "server is up" not in said:
            line = self._process.stdout.readline()
            said += line
            if not line:
                break
        alarm.cancel()
        if "server is up" not in said:
            self._process.communicate()
            shutil.rmtree(self.directory, ignore_errors=True)
            raise RuntimeError(f"statsd did not start: {said.strip()[-300:]}")

    def _port_among(self, sockets):
        descriptors = Path(f"/proc/{self._process.pid}/fd")
        mine = {os.readlink(path) for path in descriptors.iterdir() if path.exists() or path.is_symlink()}
        return next((port for inode, port, *_ in sockets if f"socket:[{inode}]" in mine and port), None)

    def wait_until_read(self):
        """Its receive buffer is small: who sends much waits for this now and then."""
        until(lambda: not any(waiting for _, port, waiting, _ in udp_sockets() if port == self.port),
              "statsd reads what it was sent")

    def stop(self, datagrams):
        """{counters, counter_rates, gauges, timer_data, sets}, without its own. Raises if it lost one."""
        self.wait_until_read()
        self._process.terminate()
        try:
            output, _ = self._process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"statsd still runs {PATIENCE_S} s after SIGTERM") from None
        if not self._flushed.exists():
            raise RuntimeError(f"statsd ended without its last flush: {output.strip()[-300:]}")
        window = json.loads(self._flushed.read_text())
        received = window["counters"]["statsd.packets_received"]
        if received != datagrams:
            raise RuntimeError(f"statsd received {received} of {datagrams} datagrams")
        self.bad_lines = window["counters"]["statsd.bad_lines_seen"]
        return {kind: {name: value for name, value in entries.items() if not name.startswith("statsd.")}
                for kind, entries in window.items()}
