"""tallyd beside other StatsD daemons under the same load, in one run: scripts/bench --peers.

All are measured by the same trials (trials.py); a rate holds if a daemon's own count, read from it at the end of
each trial, lacks at most 0.1 % of what was sent. At a light load the count must be exact. tallyd and the peers
take turns, workload by workload, and a ratio is between two figures of one repeat.
"""

import statistics
import subprocess
from dataclasses import dataclass, field, replace
from typing import Callable

from measures import describe, say
from peers import PEERS, PeerMissing, counter_total, sum_of_windows, totals_of
from processes import BenchError
from table import MB, columns, number
from trials import Found, Pace, Trial

PACE = Pace(trial_seconds=2.5, large_trial_seconds=4.0, search_steps=4)
QUICK = Pace(repeats=1, trial_seconds=1.2, search_steps=2, tries=1)  # a window of 1 s closes in each trial
LIGHT_PACKETS = 2_300  # a second, of B: 100,000 metrics/s
LIGHT_SECONDS = 2


@dataclass
class Contestant:
    """A daemon, and what was found."""

    name: str
    version: str = ""
    make: Callable = None  # starts one; None: there is none here
    workloads: dict = field(default_factory=dict)  # letter: further arguments of the sender
    notes: tuple = ()
    left_out: str = ""  # why it is not measured, or no longer
    found: list = field(default_factory=list)  # a dict a repeat, letter: Found
    light_us: list = field(default_factory=list)  # CPU us a metric at the light load

    @property
    def is_measured(self):
        return any(self.found)

    def of(self, letter, what):
        """A figure of each repeat that has it."""
        return [what(repeat[letter]) for repeat in self.found if letter in repeat]

    def ratios(self, letter, other):
        return [mine[letter].metrics / theirs[letter].metrics for mine, theirs in zip(self.found, other.found)
                if letter in mine and letter in theirs and theirs[letter].metrics]


def cpu_us(found):
    return found.trial.cpu_seconds / found.trial.metrics * 1e6


def resident_mb(found):
    return found.trial.resident_bytes / MB


def contestant(bench, peer, may_install):
    name = peer.__name__.lower()
    try:
        installed, version = peer.find(may_install)
    except PeerMissing as why:
        hint = "" if may_install else "; scripts/bench --install-peers gets what can be had"
        return Contestant(name, left_out=f"{why}{hint}")
    return Contestant(name, version, lambda: peer(bench, installed), peer.WORKLOADS, peer.NOTES)


def attempt(who, measure):
    """What measure() returns. A peer that cannot be measured is left out from then on; tallyd must not fail."""
    try:
        return measure()
    except (BenchError, OSError, subprocess.SubprocessError) as error:
        if who.name == "tallyd":
            raise
        who.left_out = " ".join(str(error).split())[:300]
        say(f"  {who.name}: left out: {who.left_out}")
        return None


def measure_light(bench, who):
    """CPU us a metric at 100,000 metrics/s, all of which must be counted."""
    trial = bench.quiet_trial(who.make, "B", LIGHT_PACKETS, LIGHT_SECONDS, "--burst", 1)
    if trial.accepted != trial.metrics:
        raise BenchError(f"counted {trial.accepted:,} of {trial.metrics:,} metrics at a light load")
    return trial.cpu_seconds / trial.metrics * 1e6


def measure_repeat(bench, contestants, letters):
    present = [who for who in contestants if not who.left_out]
    for who in present:
        light_us = attempt(who, lambda: measure_light(bench, who))
        if light_us is not None:
            who.light_us.append(light_us)
        who.found.append({})
    for letter in letters:
        for who in present:
            if who.left_out or letter not in who.workloads:
                continue
            found = attempt(who, lambda: bench.zero_loss(who.make, letter, *who.workloads[letter]))
            if found:
                who.found[-1][letter] = found
                say(f"  {letter} {who.name:<9}{describe(found)}")


def compare(bench, letters, may_install):
    """The contestants, tallyd first, with all that was found."""
    tallyd = Contestant("tallyd", make=bench.tallyd, workloads={letter: () for letter in letters})
    contestants = [tallyd] + [contestant(bench, peer, may_install) for peer in PEERS]
    for repeat in range(bench.pace.repeats):
        say(f"repeat {repeat + 1} of {bench.pace.repeats}")
        measure_repeat(bench, contestants, letters)
    return contestants


# ------------------------------------------------------------------------------------- what is shown

def median(values):
    return number(statistics.median(values)) if values else "-"


def rate_cell(who, letter):
    more = ">=" if any(who.of(letter, lambda found: found.sender_bound)) else ""
    return more + median(who.of(letter, lambda found: found.metrics))


def figures(who, letter, what):
    """Of the trials that held."""
    return [what(found) for found in who.of(letter, lambda found: found) if found.trial]


def comparison_table(contestants, letters):
    """Medians of all repeats."""
    tallyd = contestants[0]
    head = ["metrics/s without loss"]
    for letter in letters:
        head += [letter, "ratio"]
    lines = [head + ["B: us/metric", "at 100,000/s", "B: MB"] + (["D: MB"] if "D" in letters else [])]
    for who in contestants:
        if not who.is_measured:
            continue
        line = [f"{who.name} {who.version}".strip()]
        for letter in letters:
            line += [rate_cell(who, letter), median(who.ratios(letter, tallyd))]
        line += [median(figures(who, "B", cpu_us)), median(who.light_us), median(figures(who, "B", resident_mb))]
        lines.append(line + ([median(figures(who, "D", resident_mb))] if "D" in letters else []))
    return columns(lines, left={0})


def remarks(contestants):
    """One line each."""
    missing = [f"{who.name}: left out: {who.left_out}" for who in contestants if who.left_out]
    return missing + [f"{who.name}: {note}" for who in contestants if who.is_measured for note in who.notes]


def contestant_as_json(who, tallyd):
    def workload(letter):
        return {"metrics_per_second": who.of(letter, lambda found: found.metrics),
                "ratios_to_tallyd": who.ratios(letter, tallyd),
                "sender_bound": who.of(letter, lambda found: found.sender_bound),
                "cpu_us_a_metric": figures(who, letter, cpu_us),
                "resident_bytes": figures(who, letter, lambda found: found.trial.resident_bytes)}

    return {"name": who.name, "version": who.version, "left_out": who.left_out, "notes": who.notes,
            "cpu_us_a_metric_at_light_load": who.light_us,
            "workloads": {letter: workload(letter) for letter in who.workloads}}


def self_test():
    """What the peers say is read as it is meant, and the table shows it."""
    windows = 'x\n{"packets": 2, "lines": 80, "bad_lines": 1}\n{"packets": 1, "lines": 40, "bad_lines": 0}\n{"pack'
    assert sum_of_windows(windows) == (3, 120, 1)
    assert counter_total([b"b.statsd.derive-a 3 1\r", b"b.statsd.gauge-a 9 1\r", b"b.statsd.derive-b 4 1\r",
                          b"b.statsd.derive-a 5 2\r"]) == 9
    line = 'netdata_netdata_statsd_{}_total{{chart="netdata.statsd_{}",family="statsd",dimension="{}"}} {} 17\n'
    events = line.format("events", "events", "counters", 88) + line.format("events", "events", "unknown", 2)
    assert totals_of(events + line.format("packets", "packets", "tcp", 7)) == (0, {"counters": 88, "unknown": 2})
    assert totals_of(line.format("packets", "packets", "udp", 7)) == (7, {})

    trial = Trial("x", "B", 10, sent=100, metrics=4_000, seconds=1, received=100, dropped=0, accepted=4_000,
                  refused=0, backlog_bytes=0, drained=True, cpu_seconds=0.004, resident_bytes=5 * MB)
    trial.check()
    miscounted = replace(trial, accepted=3_990)
    assert trial.held and not miscounted.held
    miscounts = Contestant("miscounts")
    attempt(miscounts, miscounted.check)
    assert "accepted 3990" in miscounts.left_out
    tallyd = Contestant("tallyd", workloads={"B": ()}, found=[{"B": Found(1, 8e6, 0, True, trial)}])
    slow = Contestant("slow", "1.2", workloads={"B": ()}, found=[{"B": Found(1, 2e6, 0, False, trial)}],
                      light_us=[3], notes=("n",))
    absent = Contestant("absent", left_out="not here")
    broken = Contestant("broken", left_out="no", found=[{}], light_us=[3], notes=("m",))
    shown = comparison_table([tallyd, slow, absent, broken], "AB").splitlines()
    assert len(shown) == 3, shown
    assert shown[1].split() == ["tallyd", "-", "-", ">=8,000,000", "1", "1", "-", "5"], shown
    assert shown[2].split() == ["slow", "1.2", "-", "-", "2,000,000", "0.25", "1", "3", "5"], shown
    left_out = ["absent: left out: not here", "broken: left out: no"]
    assert remarks([tallyd, slow, absent, broken]) == [*left_out, "slow: n"]
    assert contestant_as_json(slow, tallyd)["workloads"]["B"]["ratios_to_tallyd"] == [0.25]

    def fail():
        raise BenchError("it\nbroke")

    assert attempt(slow, fail) is None and slow.left_out == "it broke"
