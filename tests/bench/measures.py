"""What is measured: each function makes the figures of one or a few rows of the table."""

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass

from processes import BenchError, Tallyd, cpu_seconds, proc_status, wake_ups
from trials import Found
from watchers import Watchers

SERIES = 1_000_000  # of workload D
WINDOW_SECONDS = 2  # of the row where windows of a million series close
STREAMS = 20
RATES = (("tallyd", "A"), ("tallyd", "B"), ("tallyd", "C"), ("tallyd", "D"), ("new", "D"), ("tallyd", "E"))


def say(line):
    print(line, file=sys.stderr, flush=True)


@dataclass
class Paired:
    """What tallyd took, and the sink just before and just after it: within a minute this machine may become half as
    fast, or twice."""

    found: Found
    sink: list  # of Found

    def ratio(self, what):
        """tallyd's "packets" or "metrics" to the mean of the sink's."""
        beside = statistics.mean(getattr(found, what) for found in self.sink)
        return getattr(self.found, what) / beside if beside else 0.0


def measure_rates(bench):
    """Zero-loss rates of one repeat, by who and workload: the sink and tallyd in turn."""
    def measure(name, letter, make, **how):
        found = bench.zero_loss(make, letter, **how)
        say(f"  {letter} {name:<9}{describe(found)}")
        return found

    paired = {}
    sink = {}  # what it took last, by workload
    for who, letter in RATES:
        of_sink = "A" if letter == "A" else "B"
        before = sink.get(of_sink) or measure("sink", of_sink, bench.sink)
        warm_windows = bench.pace.warm_windows if (who, letter) == ("tallyd", "D") else 0
        found = measure(who, letter, bench.tallyd, warm_windows=warm_windows)
        sink[of_sink] = measure("sink", of_sink, bench.sink)
        paired[who, letter] = Paired(found, [before, sink[of_sink]])
    return paired


def describe(found):
    bound = ", all that the sender sent" if found.sender_bound else ""
    return f"{found.packets:>12,.0f} packets/s {found.metrics:>13,.0f} metrics/s{bound}"


def measure_workers(bench):
    """Zero-loss metrics/s of B from 16 source ports, on any core: of 2 receive threads against 1."""
    def of(workers):
        make = lambda: bench.tallyd(f"listen.workers={workers}", cores=bench.cores.all)
        return bench.zero_loss(make, "B", "--sources", 16).metrics

    return of(2) / (of(1) or 1)


def measure_watched(bench):
    """Zero-loss metrics/s of F, whose windows of 1 s hold 100,000 series: with everything that is there to be looked at
    off, and with it on and looked at by a page and 20 streams; in turn."""
    unseen = lambda: bench.tallyd("http.listen=", "http.history=0", "admin.listen=")
    seen = lambda: bench.tallyd("http.history=64MiB")
    return [(bench.zero_loss(unseen, "F").metrics, bench.zero_loss(seen, "F", beside=looked_at).metrics)
            for _ in range(bench.pace.watched_repeats)]


def looked_at(receiver):
    return Watchers(receiver.http_port(), STREAMS)


def measure_memory(bench):
    """ns a metric in memory, by workload, and of the way of a window."""
    def run_it(*arguments):
        return bench.run_tool(bench.cores.receiver, "tests/bench/bench_memory", *arguments)

    rows = run_it("--rounds", bench.pace.memory_rounds)
    return {row["workload"]: row for row in rows}, run_it("--flush", bench.pace.flush_rounds)[0]


def measure_history(bench):
    """What remembering for the page costs a flush, and looking, by number of series. A million have no room in 32 MiB,
    and what has none costs too."""
    def of(series, mib):
        return bench.run_tool(bench.cores.receiver, "tests/bench/bench_history", "--series", series, "--mib", mib)[0]

    return {series: of(series, mib) for series, mib in ((1_000, 32), (100_000, 64), (1_000_000, 32))}


def measure_series_bytes(bench):
    """Resident bytes a series of D, each heard once, in one long window."""
    with bench.tallyd(interval="1h") as receiver:
        before = proc_status(receiver.pid, "RssAnon")
        sent = bench.blast(receiver, "D", "--cycles", 1, "--rate", 30_000, "--seconds", 60)
        receiver.wait_until_drained()
        after = proc_status(receiver.pid, "RssAnon")
        counted = receiver.finish()
    if counted.accepted != sent["metrics"]:
        raise BenchError(f"memory: {sent['metrics']} metrics sent, {counted} counted")
    return (after - before) / SERIES


def measure_windows(bench, rate):
    """Windows of a million series closing while packets arrive: drops, gaps, memory at its peak. In the first window
    the series are new and none closes: that is a figure of its own. The sink at the same rate tells what of a gap is
    the machine's."""
    receiver = bench.tallyd(interval=f"{WINDOW_SECONDS}s")
    peak = {}
    stop = threading.Event()

    def watch_memory():
        while not stop.wait(0.05):
            with contextlib.suppress(OSError, BenchError):
                peak["bytes"] = proc_status(receiver.pid, "VmHWM")

    watcher = threading.Thread(target=watch_memory)
    watcher.start()
    try:
        trial = bench.trial(receiver, "D", rate, bench.pace.window_seconds, "--gaps", 1)
    finally:
        stop.set()
        watcher.join()
    of_sink = bench.trial(bench.sink(), "D", rate, bench.pace.window_seconds, "--gaps", 1).gap_ms_by_second
    first, closing = trial.gap_ms_by_second[:WINDOW_SECONDS], trial.gap_ms_by_second[WINDOW_SECONDS:]
    return {"dropped": trial.dropped, "gap_ms_median": statistics.median(closing), "gap_ms_max": max(closing),
            "first_gap_ms_max": max(first), "sink_gap_ms_median": statistics.median(of_sink),
            "sink_gap_ms_max": max(of_sink), "peak_bytes": peak["bytes"], "rate": trial.rate}


def measure_light(bench):
    """CPU microseconds a metric at 100,000 metrics/s in single packets of B, flush included."""
    metrics_a_packet = next(trial.metrics_a_packet for trial in bench.trials if trial.workload == "B")
    with bench.tallyd() as receiver:
        before = cpu_seconds(receiver.pid)
        sent = bench.blast(receiver, "B", "--rate", 100_000 / metrics_a_packet, "--burst", 1,
                           "--seconds", bench.pace.light_seconds)
        used = cpu_seconds(receiver.pid) - before
        receiver.finish()
    return used / sent["metrics"] * 1e6


def wait_between_windows():
    """Until no window of the default 10 s ends soon or has just ended."""
    while not 0.5 < time.time() % 10 < 8:
        time.sleep(0.05)


def measure_idle(bench):
    """Memory and wake-ups with the default config and no traffic."""
    requests = bench.influx.requests
    any_port = 'listen.udp=["127.0.0.1:0", "[::1]:0"]'  # the default but for the port, which may be taken
    with Tallyd(bench, bench.cores.all, [any_port]) as receiver:
        end = time.monotonic() + (12 if bench.pace.idle_window else 0.5)
        while time.monotonic() < end and bench.influx.requests == requests:
            time.sleep(0.05)
        wait_between_windows()
        before = wake_ups(receiver.pid)
        time.sleep(1)
        woken = wake_ups(receiver.pid) - before
        idle = {"anon": proc_status(receiver.pid, "RssAnon"), "resident": proc_status(receiver.pid, "VmRSS"),
                "wake_ups": woken}
        receiver.finish()
    return idle


def measure_starts(bench):
    """Milliseconds from exec to the line that says the socket is bound, this driver's reading included."""
    times = []
    for _ in range(bench.pace.starts):
        with bench.tallyd(cores=bench.cores.all) as receiver:
            times.append(receiver.bound_after * 1e3)
            receiver.finish()
    return times


def stripped_bytes(program):
    with tempfile.TemporaryDirectory() as directory:
        stripped = os.path.join(directory, "tallyd")
        subprocess.run(["strip", "-o", stripped, program], check=True)
        return os.path.getsize(stripped)
