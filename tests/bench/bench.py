#!/usr/bin/env python3
"""What tallyd takes on this machine, as one table: every figure and both sides of every ratio from one run.

    bench.py --programs BUILD_DIRECTORY [--quick] [--repeats N] [--json FILE] [--peers [--install-peers]]
    bench.py --self-test

scripts/bench builds the programs and calls this. The receiver (tallyd with all its threads, or the do-nothing
sink) runs on one core, the sender and this driver on another; packets go over loopback. Workloads A to E are
described in workload.hpp.

Zero-loss rate: the highest rate at which at most 0.1 % of the packets are lost and the receiver's queue is
drained when the last packet is out, or soon: the rate is that until it was. Counted from what the receiver itself
says at its end, and a trial in which  sent = received + dropped by the kernel  does not hold to the packet fails
the bench. tallyd writes windows of 1 s to an InfluxDB that takes everything at once (ours), with all its counters
on.

Sink and tallyd take turns, and a ratio is between what tallyd took and what the sink took just before and just
after it. A trial is done again when something else took more than 5 % of the sender's or the receiver's core.

--peers measures tallyd beside other daemons instead (comparison.py, peers.py).
"""

import argparse
import contextlib
import json
import os
import platform
import signal
import statistics
import sys
import time

sys.dont_write_bytecode = True  # the source tree stays as it is

import comparison  # noqa: E402
from measures import (RATES, Paired, measure_history, measure_idle, measure_light, measure_memory,  # noqa: E402
                      measure_rates, measure_series_bytes, measure_starts, measure_watched, measure_windows,
                      measure_workers, say, stripped_bytes)
from processes import BenchError  # noqa: E402
from table import MB, Row, history_rows, memory_rows, rate_rows, table, three, watched_rows, window_rows  # noqa: E402
from trials import QUICK, Bench, Found, Pace, Trial, search  # noqa: E402

DISTURBED = "This machine was busy with other things: the rates above say little. Run it again when it is quiet."


def small_rows(bench):
    idle = measure_idle(bench)
    return [
        Row("idle, private (RssAnon)", [idle["anon"] / MB], "MB", at_most=4),
        Row("idle, resident (VmRSS)", [idle["resident"] / MB], "MB", at_most=14),
        Row("idle, wake-ups", [idle["wake_ups"]], "/s", at_most=0),
        Row("start, exec to bound", measure_starts(bench), "ms", at_most=10),
        Row("size, stripped", [stripped_bytes(bench.program("src/tallyd")) / MB], "MB", at_most=2),
        Row("B: CPU at 100,000 metrics/s", [measure_light(bench)], "us/metric", at_most=0.5),
    ]


def machine():
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "load_before": os.getloadavg()[0], "receive_buffer_max": read_number("/proc/sys/net/core/rmem_max")}


def read_number(path):
    with open(path, encoding="ascii") as text:
        return int(text.read())


def run(bench):
    """All rows, in the order of the table."""
    rates, memory, workers, series_bytes = [], [], [], []
    for repeat in range(bench.pace.repeats):
        say(f"repeat {repeat + 1} of {bench.pace.repeats}")
        rates.append(measure_rates(bench))
        memory.append(measure_memory(bench))
        series_bytes.append(measure_series_bytes(bench))
        if bench.pace.workers:
            workers.append(measure_workers(bench))
    half = statistics.median(paired["tallyd", "D"].found.packets for paired in rates) / 2
    rows = rate_rows(rates) + memory_rows(memory)
    rows.append(Row("D: memory a counter series", series_bytes, "bytes", at_most=130))
    if workers:
        rows.append(Row("B: 2 receive threads against 1", workers, "ratio", at_least=1, note="on any core"))
    rows += history_rows(measure_history(bench))
    if bench.pace.watched_repeats:
        rows += watched_rows(measure_watched(bench))
    return rows + window_rows(measure_windows(bench, half)) + small_rows(bench)


def row_as_json(row):
    return {"measure": row.measure, "unit": row.unit, "values": row.values, "ratios": row.ratios,
            "at_least": row.at_least, "at_most": row.at_most, "reached": row.verdict, "note": row.note}


def show_rows(bench, _):
    """Prints the table; returns what --json adds to the trials."""
    rows = run(bench)
    print(table(rows))
    return {"rows": [row_as_json(row) for row in rows]}


def show_comparison(bench, options):
    """The same with the peers."""
    letters = "ABCE" if options.quick else "ABCDE"
    contestants = comparison.compare(bench, letters, options.install_peers)
    print(comparison.comparison_table(contestants, letters))
    for remark in comparison.remarks(contestants):
        print(remark)
    return {"contestants": [comparison.contestant_as_json(who, contestants[0]) for who in contestants]}


def write_json(options, bench, seconds, shown):
    with open(options.json, "w", encoding="utf-8") as out:
        json.dump({"machine": machine(), "quick": options.quick, "seconds": seconds, **shown,
                   "trials": [{**vars(trial), "held": trial.held} for trial in bench.trials]}, out, indent=1)


def self_test():
    """The arithmetic, with receivers that are made up."""
    for capacity, guess in ((1e6, 1e6), (1e6, 1.4e6), (1e6, 3e6), (5e4, 5.2e4)):
        found = search(lambda rate, c=capacity: rate if rate <= c else None, guess, steps=8, tries=1)
        assert capacity * 0.98 <= found <= capacity, (capacity, guess, found)
    failures = iter([True] + [False] * 50)  # one hiccup, which the second try forgives
    assert search(lambda rate: rate if rate <= 1e6 and not next(failures) else None, 1e6, 8, 2) > 0.98e6
    assert search(lambda rate: None, 1e6, 8, 1) == 0
    trial = Trial("tallyd", "B", 10, sent=1000, metrics=43_000, seconds=2, received=999, dropped=1,
                  accepted=42_957, refused=0, backlog_bytes=0, drained=True)
    assert trial.rate == 500 and trial.held
    trial.check()
    trial.dropped = 2
    assert not trial.held
    with contextlib.suppress(BenchError):
        trial.check()
        raise AssertionError("a packet is missing and nobody said so")
    rows = [Row("x", [1, 3, 2], "ms", at_most=2), Row("y", [10], "ms", ratios=[0.5], at_least=0.92)]
    assert [row.verdict for row in rows] == ["yes", "no"]
    assert three([1, 3, 2]) == ["2", "1", "3"]
    assert table(rows).splitlines()[2].split() == ["y", "10", "10", "10", "ms", "0.5", "0.5", "0.5", ">=",
                                                   "0.92", "no"]
    sink = [Found(100, 4000, 1, True), Found(200, 8000, 0, True)]
    paired = Paired(Found(90, 3000, 2, False), sink)
    assert paired.ratio("packets") == 0.6 and paired.ratio("metrics") == 0.5
    rows = rate_rows([{which: paired for which in RATES}])
    assert [row.values for row in rows[:3]] == [[150], [90], [6000]]
    assert [row.judged for row in rows[3:]] == [0.5] * 5 and [row.verdict for row in rows[3:5]] == ["yes", "yes"]
    comparison.self_test()
    print("bench.py: the self-test holds")


def read_options():
    parser = argparse.ArgumentParser(description="tallyd's bench; see the top of this file")
    parser.add_argument("--programs", help="build directory that holds src/tallyd and tests/bench/")
    parser.add_argument("--quick", action="store_true", help="one short repeat, within 60 s: a look, no proof")
    parser.add_argument("--repeats", type=int, help="default 3")
    parser.add_argument("--json", metavar="FILE", help="every value and every trial")
    parser.add_argument("--peers", action="store_true", help="tallyd beside npm's statsd, collectd and netdata")
    parser.add_argument("--install-peers", action="store_true", help="get npm's statsd if it is not there")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if not options.self_test and not options.programs:
        parser.error("--programs is missing; scripts/bench knows it")
    return options


def end_children_with_us():
    """A signal unwinds the stack like an exception, as Ctrl-C does; one that nohup ignores stays ignored."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, lambda number, _: sys.exit(128 + number))


def choose_pace(options):
    if options.peers:
        pace = comparison.QUICK if options.quick else comparison.PACE
    else:
        pace = QUICK if options.quick else Pace()
    if options.repeats:
        pace.repeats = options.repeats
    return pace


def main():
    options = read_options()
    if options.self_test:
        return self_test()
    end_children_with_us()
    begin = time.monotonic()
    about = machine()
    bench = Bench(options.programs, choose_pace(options))
    say(f"{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}, load {about['load_before']:.2f}")
    if bench.cores.receiver == bench.cores.sender:
        say("only one core: sender and receiver share it, and the rates mean little")
    try:
        shown = (show_comparison if options.peers else show_rows)(bench, options)
    except BenchError as error:
        say(f"bench: {error}")
        return 1
    seconds = time.monotonic() - begin
    disturbed = sum(trial.disturbed for trial in bench.trials)
    print(f"{len(bench.trials)} trials in {seconds:.0f} s, {disturbed} of them disturbed by other work on "
          "their cores; in each: sent = received + dropped, to the packet")
    if disturbed > len(bench.trials) / 4:
        print(DISTURBED)
    if options.json:
        write_json(options, bench, seconds, shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
