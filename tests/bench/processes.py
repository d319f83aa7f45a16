"""Children of the bench, the cores they run on, and what the kernel tells of them."""

import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time
from dataclasses import dataclass

SO_MEMINFO = 55  # asm-generic/socket.h
PIDFD_GETFD = 438  # the same number on all architectures; Python 3.11 has no name for it


class BenchError(Exception):
    """Something that makes the figures worthless; the message says what."""


@contextlib.contextmanager
def on_cores(cores):
    """Children started here inherit the cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass
class Cores:
    """Who runs where. With one core all share it, and the rates mean little."""

    all: set
    receiver: set
    sender: set

    @staticmethod
    def choose():
        cores = os.sched_getaffinity(0)
        return Cores(cores, {min(cores)}, {max(cores)})


def udp_sockets():
    """(inode, port) of the IPv4 sockets, each as /proc/PID/fd names it: `socket:[inode]`."""
    with open("/proc/net/udp", encoding="ascii") as lines:
        next(lines)
        rows = [line.split() for line in lines]
    return [(f"socket:[{row[9]}]", int(row[1].rpartition(":")[2], 16)) for row in rows]


def link_of(path):
    """Where a link leads; None if it has just gone, as descriptors of a running program do."""
    try:
        return os.readlink(path)
    except FileNotFoundError:
        return None


def borrow_sockets(pid, port):
    """Our own descriptors of a child's sockets on a port: what the kernel says of them is exact, and costs
    the child nothing."""
    wanted = {inode for inode, of_port in udp_sockets() if of_port == port}  # several with SO_REUSEPORT
    pidfd = os.pidfd_open(pid)
    borrowed = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        if link_of(f"/proc/{pid}/fd/{name}") in wanted:
            fd = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, pidfd, int(name), 0)
            if fd < 0:
                raise BenchError(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
            borrowed.append(socket.socket(fileno=fd))
    os.close(pidfd)
    return borrowed


def memory_info(sockets, index):
    """Sum of a value of the kernel's struct sk_meminfo."""
    return sum(struct.unpack("9I", s.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))[index] for s in sockets)


def queue_bytes(sockets):
    return memory_info(sockets, 0)


def dropped_packets(sockets):
    return memory_info(sockets, 8)


def proc_status(pid, key):
    """A value of /proc/PID/status in bytes."""
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        for line in lines:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    raise BenchError(f"/proc/{pid}/status has no {key}")


def cpu_seconds(pid):
    """CPU time of all threads that live, to the nanosecond (utime of /proc/PID/stat counts in 10 ms)."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as text:
            total += int(text.read().split()[0])
    return total / 1e9


def busy_seconds(core):
    with open("/proc/stat", encoding="ascii") as lines:
        user, nice, system, _, _, _, _, steal = next(
            [int(ticks) for ticks in line.split()[1:9]] for line in lines if line.startswith(f"cpu{core} "))
    return (user + nice + system + steal) / os.sysconf("SC_CLK_TCK")


def wake_ups(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as lines:
            total += sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))
    return total


class NullInflux:
    """An InfluxDB that answers 204 to everything and keeps nothing."""

    def __init__(self):
        self.requests = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = b""
        with connection, contextlib.suppress(ConnectionError):
            while True:
                head, end, rest = data.partition(b"\r\n\r\n")
                if not end:
                    more = connection.recv(1 << 16)
                    if not more:
                        return
                    data += more
                    continue
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                data = self._skip(connection, rest, int(length[1]) if length else 0)
                self.requests += 1
                connection.sendall(b"HTTP/1.1 204 No Content\r\nX-Influxdb-Version: 1.6.7\r\n\r\n")

    @staticmethod
    def _skip(connection, data, length):
        """Reads a body away; returns what came behind it."""
        while len(data) < length:
            length -= len(data)
            data = connection.recv(1 << 18)
            if not data:
                raise ConnectionError
        return data[length:]


@dataclass
class Accounting:
    """What a receiver says at its end."""

    received: int
    dropped: int
    accepted: int = 0  # lines; of the sink, which reads none, 0
    refused: int = 0


class Receiver:
    """A child that receives on a UDP port of 127.0.0.1."""

    DRAIN_PATIENCE_S = 10

    def __init__(self, command, cores, announces):
        with on_cores(cores):
            self.started = time.perf_counter()
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                            stderr=subprocess.STDOUT, env={"PATH": os.environ["PATH"]})
        self.log = b""
        self.sockets = []
        try:
            self.port = int(self._wait_for(announces))
            self.bound_after = time.perf_counter() - self.started
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self):
        return self.process.pid

    def _wait_for(self, pattern):
        while not (found := re.search(pattern, self.log)):
            more = os.read(self.process.stdout.fileno(), 1 << 16)
            if not more:
                raise BenchError(f"{self.process.args[0]} did not start: {self.log.decode(errors='replace')}")
            self.log += more
        return found[1]

    def watch(self):
        self.sockets = borrow_sockets(self.pid, self.port)
        if not self.sockets:
            raise BenchError(f"{self.process.args[0]} has no socket on port {self.port}")
        return self.sockets[0].fileno()

    def wait_until_drained(self):
        """False if something still waits when patience is at its end."""
        end = time.monotonic() + self.DRAIN_PATIENCE_S
        while queue_bytes(self.sockets) > 0:
            if time.monotonic() > end:
                return False
            time.sleep(0.002)
        return True

    def stop(self):
        """Ends it in order, and returns its last words."""
        for borrowed in self.sockets:
            borrowed.close()
        self.process.send_signal(signal.SIGTERM)
        rest, _ = self.process.communicate(timeout=20)
        return (self.log + rest).decode(errors="replace")

    def account(self, _sent):
        """What it counted of what the sender says it sent."""
        return self.finish()

    def kill(self):
        for borrowed in self.sockets:
            borrowed.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


class Sink(Receiver):
    def __init__(self, bench):
        super().__init__([bench.program("tests/bench/bench_sink")], bench.cores.receiver, rb"port (\d+)")

    def finish(self):
        said = json.loads(self.stop().splitlines()[-1])
        return Accounting(said["datagrams"], said["dropped"])


class Tallyd(Receiver):
    STOPPED = re.compile(r"stopped: ([\d,]+) datagrams received, ([\d,]+) dropped by the kernel; "
                         r"([\d,]+) lines accepted, ([\d,]+) refused")

    def __init__(self, bench, cores, sets):
        command = [bench.program("src/tallyd"), "run", "--config", "/dev/null"]
        for value in (f"influxdb.url={bench.influx.url}", "http.listen=127.0.0.1:0",
                      "admin.listen=127.0.0.1:0", *sets):
            command += ["--set", value]
        super().__init__(command, cores, rb"udp 127\.0\.0\.1:(\d+): listening")

    def http_port(self):
        return int(self._wait_for(rb"http 127\.0\.0\.1:(\d+): listening"))

    def finish(self):
        said = self.stop()
        found = self.STOPPED.search(said)
        if not found:
            raise BenchError(f"tallyd did not say what it received; its log ends: {said[-600:]}")
        return Accounting(*(int(number.replace(",", "")) for number in found.groups()))
