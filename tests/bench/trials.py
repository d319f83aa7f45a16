"""One blast at one receiver, and the search for the highest rate that it takes without loss."""

import contextlib
import json
import os
import subprocess
import time
from dataclasses import dataclass, field

from processes import (BenchError, Cores, NullInflux, Sink, Tallyd, busy_seconds, cpu_seconds, on_cores,
                       proc_status)

LOSS_MAX = 0.001
# Of the 64 MiB that the kernel books for a buffer of 32: more backlog at the end is overload that a longer
# run would show as loss. The pauses of a receiver that keeps up leave less.
BACKLOG_BYTES_MAX = 8 << 20
DRAIN_SECONDS_MAX = 0.3  # a window may close just then, and some read nothing meanwhile
OTHERS_MAX = 0.05  # of a core's time, to call a trial undisturbed


@dataclass
class Pace:
    """How long things are looked at."""

    repeats: int = 3
    trial_seconds: float = 1.5
    large_trial_seconds: float = 3.0  # of D, whose first window is the time its table grows
    search_steps: int = 6
    warm_windows: int = 2  # before D: a million series that are all new at once are a figure of their own
    tries: int = 2
    memory_rounds: int = 2
    flush_rounds: int = 2
    starts: int = 10
    light_seconds: float = 5.0
    window_seconds: float = 8.0  # of the row where windows of a million series close
    idle_window: bool = True  # whether idle waits for a window of the default 10 s
    workers: bool = True
    watched_repeats: int = 3  # 0: a trial would be too short for a window to end in it


QUICK = Pace(repeats=1, trial_seconds=0.4, large_trial_seconds=0.8, search_steps=2, warm_windows=1, tries=1,
             memory_rounds=1, flush_rounds=1, starts=5, light_seconds=1.5, window_seconds=4.5, idle_window=False,
             workers=False, watched_repeats=0)


@dataclass
class Trial:
    """One blast at one receiver, and what became of it."""

    receiver: str
    workload: str
    asked_rate: float  # packets/s; 0: as fast as the sender can
    sent: int
    metrics: int
    seconds: float
    received: int
    dropped: int
    accepted: int
    refused: int
    backlog_bytes: int
    drained: bool
    drain_seconds: float = 0.0  # from the last packet until the queue was empty
    cpu_seconds: float = 0.0  # of the receiver, from the first packet until then
    resident_bytes: int = 0  # then
    others_seconds: dict = field(default_factory=dict)  # what else ran, on the core of each
    gap_ms_by_second: list = field(default_factory=list)

    @property
    def rate(self):
        """Until the queue was empty: what waits in it at the end is not yet taken."""
        return self.sent / (self.seconds + self.drain_seconds)

    @property
    def metrics_a_packet(self):
        return self.metrics / self.sent

    @property
    def disturbed(self):
        return max(self.others_seconds.values(), default=0) > self.seconds * OTHERS_MAX

    @property
    def counts_lines(self):
        return self.receiver != "sink"

    @property
    def lost(self):
        """The larger share of what the kernel dropped and what is not in the receiver's own count."""
        uncounted = (self.metrics - self.accepted) / self.metrics if self.counts_lines else 0
        return max(self.dropped / self.sent, uncounted)

    @property
    def held(self):
        return (self.lost <= LOSS_MAX and self.backlog_bytes <= BACKLOG_BYTES_MAX and self.drained
                and self.drain_seconds <= DRAIN_SECONDS_MAX)

    def check(self):
        """Raises if not every packet and every line is accounted for."""
        if self.sent != self.received + self.dropped:
            raise BenchError(f"sent {self.sent}, but received {self.received} + dropped {self.dropped}: {self}")
        if self.counts_lines and self.dropped == 0 and self.accepted != self.metrics:
            raise BenchError(f"sent {self.metrics} metrics, accepted {self.accepted}, refused {self.refused}: {self}")


def search(hold, capacity, steps, tries):
    """The highest rate that holds, by halving an interval around `capacity`; 0 if none was found.

    hold(rate) returns the rate that was reached, which is lower if the sender could not, or None when it did
    not hold. Noise of the machine can make a rate fail that holds, and hardly ever the reverse, so what fails
    may be tried again.
    """
    def attempt(rate):
        for _ in range(tries):
            if (reached := hold(rate)) is not None:
                return reached
        return None

    low, high, best = 0.7 * capacity, 1.1 * capacity, None
    while best is None and low > capacity / 100:
        best = attempt(low)
        if best is None:
            low, high = low / 2, low
    if best is None:
        return 0.0
    for _ in range(steps):
        middle = (low + high) / 2
        reached = attempt(middle)
        if reached is None:
            high = middle
        else:
            best = max(best, reached)
            low = max(low, min(middle, reached))
    return best


@dataclass
class Found:
    """The result of one search."""

    packets: float  # a second
    metrics: float  # a second
    dropped: int  # in the trial that held at that rate
    sender_bound: bool  # the receiver took all that the sender could send: it could do more
    trial: Trial = None  # the one that held at that rate; None if none did


class Bench:
    """What all measures need: programs, cores, the database that keeps nothing, and every trial so far."""

    def __init__(self, programs, pace):
        self.programs = programs
        self.pace = pace
        self.cores = Cores.choose()
        os.sched_setaffinity(0, self.cores.sender)  # never on the receiver's core
        self.influx = NullInflux()
        self.trials = []

    def program(self, name):
        return os.path.join(self.programs, name)

    def run_tool(self, cores, name, *arguments, pass_fds=()):
        """The JSON objects that a program of ours prints, one a line."""
        with on_cores(cores):
            done = subprocess.run([self.program(name), *map(str, arguments)], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, pass_fds=pass_fds, timeout=900, check=False)
        if done.returncode != 0:
            raise BenchError(f"{name} {' '.join(map(str, arguments))}: {done.stderr.strip()}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def blast(self, receiver, letter, *arguments):
        fd = receiver.watch()
        return self.run_tool(self.cores.sender, "tests/bench/bench_blast", "--port", receiver.port,
                             "--workload", letter, "--socket-fd", fd, *arguments, pass_fds=(fd,))[0]

    def others_beside(self, receiver):
        """Seconds so far that the receiver's core worked for someone else, or was not there (stolen by the
        hypervisor). Counted in ticks of 10 ms. None if it may run anywhere, the sender's core too."""
        cores = os.sched_getaffinity(receiver.pid)
        return None if len(cores) > 1 else busy_seconds(*cores) - cpu_seconds(receiver.pid)

    def warm_up(self, receiver, letter, windows):
        """Sends each series once in so many windows of 1 s; returns how many packets and metrics that were."""
        packets = metrics = 0
        for _ in range(windows):
            time.sleep(1 - time.time() % 1 + 0.02)
            sent = self.blast(receiver, letter, "--cycles", 1, "--rate", 40_000, "--seconds", 9)
            packets += sent["packets"]
            metrics += sent["metrics"]
        return packets, metrics

    def trial(self, receiver, letter, rate, seconds, *arguments, beside=contextlib.nullcontext, warm_windows=0):
        """Blasts at a receiver, ends it and asks what it counted. `beside(receiver)` is there meanwhile. What was sent
        in `warm_windows` is not in the result."""
        with receiver:
            warm_packets, warm_metrics = self.warm_up(receiver, letter, warm_windows)
            others = self.others_beside(receiver)
            used = cpu_seconds(receiver.pid)
            with beside(receiver):
                sent = self.blast(receiver, letter, "--rate", rate, "--seconds", seconds, *arguments)
                end = time.monotonic()
                if others is not None:
                    others = {"receiver": self.others_beside(receiver) - others,
                              "sender": sent["seconds"] - sent["cpu_seconds"]}
                drained = receiver.wait_until_drained()
                drain_seconds = time.monotonic() - end
                used = cpu_seconds(receiver.pid) - used
                resident = proc_status(receiver.pid, "VmRSS")
            counted = receiver.account(sent)
        trial = Trial(receiver=type(receiver).__name__.lower(), workload=letter, asked_rate=rate,
                      sent=sent["packets"], metrics=sent["metrics"], seconds=sent["seconds"],
                      received=counted.received - warm_packets, dropped=counted.dropped,
                      accepted=counted.accepted - warm_metrics, refused=counted.refused,
                      backlog_bytes=sent["queue_bytes_at_end"], drained=drained, drain_seconds=drain_seconds,
                      cpu_seconds=used, resident_bytes=resident,
                      gap_ms_by_second=sent["gap_ms_by_second"],
                      others_seconds=others or {})
        trial.check()
        self.trials.append(trial)
        return trial

    def quiet_trial(self, make_receiver, letter, rate, seconds, *arguments, **beside):
        """A trial that nothing disturbed, or the last of a few."""
        for _ in range(2 * self.pace.tries - 1):
            trial = self.trial(make_receiver(), letter, rate, seconds, *arguments, **beside)
            if not trial.disturbed:
                break
        return trial

    def zero_loss(self, make_receiver, letter, *arguments, **beside):
        """The zero-loss rate, with a fresh receiver each trial."""
        held = []
        seconds = self.pace.large_trial_seconds if letter in "DF" else self.pace.trial_seconds

        def hold(rate):
            trial = self.quiet_trial(make_receiver, letter, rate, seconds, *arguments, **beside)
            if trial.held:
                held.append(trial)
            return trial.rate if trial.held else None

        flood = self.quiet_trial(make_receiver, letter, 0, seconds, *arguments, **beside)
        if flood.held:
            return Found(flood.rate, flood.rate * flood.metrics_a_packet, flood.dropped, True, flood)
        capacity = flood.received / (flood.seconds + flood.drain_seconds)
        best = search(hold, capacity, self.pace.search_steps, self.pace.tries)
        if not held:
            return Found(0, 0, 0, False)
        of_best = max(held, key=lambda trial: trial.rate)
        return Found(best, best * of_best.metrics_a_packet, of_best.dropped, False, of_best)

    def sink(self):
        return Sink(self)

    def tallyd(self, *sets, interval="1s", cores=None):
        return Tallyd(self, cores or self.cores.receiver,
                      ('listen.udp=["127.0.0.1:0"]', f"flush.interval={interval}", *sets))
