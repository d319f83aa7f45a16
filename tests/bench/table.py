"""The table: values of all repeats, ratios between figures of one repeat, and what is wanted of them."""

import statistics
from dataclasses import dataclass, field

MB = 1_000_000


@dataclass
class Row:
    """One line: values of all repeats, perhaps as a ratio to others of the same repeat, and what is wanted."""

    measure: str
    values: list
    unit: str
    ratios: list = field(default_factory=list)
    at_least: float = None  # of the ratio if there is one, else of the value
    at_most: float = None
    note: str = ""

    @property
    def judged(self):
        return statistics.median(self.ratios or self.values)

    @property
    def verdict(self):
        if self.at_least is None and self.at_most is None:
            return ""
        good = self.judged >= self.at_least if self.at_most is None else self.judged <= self.at_most
        return "yes" if good else "no"

    @property
    def wanted(self):
        if self.at_least is not None:
            return f">= {number(self.at_least)}"
        return f"<= {number(self.at_most)}" if self.at_most is not None else ""


def number(value):
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def three(values):
    """Median, minimum, maximum."""
    return [number(f(values)) for f in (statistics.median, min, max)]


def table(rows):
    head = ["", "median", "min", "max", "unit", "ratio", "min", "max", "wanted", "reached", ""]
    lines = [head]
    for row in rows:
        ratios = three(row.ratios) if row.ratios else ["", "", ""]
        lines.append([row.measure, *three(row.values), row.unit, *ratios, row.wanted, row.verdict, row.note])
    return columns(lines, left={0, 4, 10})


def columns(lines, left):
    """Lines of as many cells each, as text; `left` names the columns that hold words, the rest are numbers."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) if i in left else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines)


def rate_rows(repeats):
    """Rows of the zero-loss rates; `repeats` is a list of what measure_rates gave."""
    def values(who, letter, what):
        return [getattr(found[who, letter], what) for found in repeats]

    names = {"new": "from its first line on"}

    def row(who, letter, what, to=None, at_least=None):
        mine = values(who, letter, what)
        others = values(*to, what) if to else []
        dropped = sum(values(who, letter, "dropped"))
        bound = "all that the sender sent; " if any(values(who, letter, "sender_bound")) else ""
        against = f"ratio to {to[0]} {to[1]}; " if to else ""
        return Row(f"{letter}: zero-loss, {names.get(who, who)}", mine, f"{what}/s",
                   [a / b for a, b in zip(mine, others) if b], at_least,
                   note=f"{against}{bound}{dropped:,} dropped by the kernel")

    rows = [row("sink", "A", "packets"), row("tallyd", "A", "packets", ("sink", "A"), 0.92),
            row("sink", "B", "metrics")]
    for who, letter, at_least in (("tallyd", "B", 0.50), ("tallyd", "C", 0.20), ("tallyd", "D", 0.24), ("new", "D", None),
                                  ("tallyd", "E", 0.24)):
        rows.append(row(who, letter, "metrics", ("sink", "B"), at_least))
    return rows


def memory_rows(repeats):
    rows = []
    for letter, at_least in (("A", None), ("B", None), ("C", 2.5), ("D", 8), ("E", 2.5)):
        mine = [memory[letter]["ns"] for memory, _ in repeats]
        naive = [memory[letter]["naive_ns"] for memory, _ in repeats]
        rows.append(Row(f"{letter} in memory", mine, "ns/metric", [b / a for a, b in zip(mine, naive)], at_least,
                        note=f"naive {number(statistics.median(naive))}; times faster"))
    rows.append(Row("window of 1,000,000 counters, in memory", [1e9 / flush["total_ns"] for _, flush in repeats],
                    "series/s", at_least=1e6, note="merged, closed, encoded, gzipped: " + ", ".join(
                        f"{statistics.median(flush[key] for _, flush in repeats):.0f}"
                        for key in ("merge_ns", "close_ns", "encode_ns", "gzip_ns")) + " ns"))
    return rows


def history_rows(found):
    """Of one run: what measure_history gave."""
    rows = [Row(f"history of {series:,} counters, in a flush", [one["history_ns"]], "ns/series",
                at_most=100 if series == 100_000 else None,
                note=f"{one['known']:,} known, {one['bytes_a_series']:.0f} bytes each; {one['left_out']:,} left out")
            for series, one in found.items()]
    looks = found[100_000]
    slowest = max((key for key in looks if key.startswith("find_")), key=looks.get)
    rows.append(Row("find among 100,000 series, the slowest", [looks[slowest]], "ms", at_most=20,
                    note=f"{slowest}; by rate {looks['find_rate_ms']:.1f} ms"))
    return rows


def watched_rows(pairs):
    """What measure_watched gave."""
    unseen, seen = zip(*pairs)
    return [
        Row("F: zero-loss, nothing to look at", list(unseen), "metrics/s", note="no page, no history"),
        Row("F: zero-loss, a page and 20 streams", list(seen), "metrics/s", [b / a for a, b in pairs], at_least=0.98,
            note="ratio to that; a window of 100,000 series each second"),
    ]


def window_rows(windows):
    note = f"window of 2 s closing at {windows['rate']:,.0f} packets/s, half of D's rate"
    return [
        Row("D: window closing, packets dropped", [windows["dropped"]], "packets", at_most=0, note=note),
        Row("D: window closing, receive gap, worst", [windows["gap_ms_max"]], "ms", at_most=2,
            note="for which one datagram stays the first of the queue"),
        Row("D: window closing, receive gap, median second", [windows["gap_ms_median"]], "ms"),
        Row("D: sink at that rate, gap, worst", [windows["sink_gap_ms_max"]], "ms", note="what this machine does to it"),
        Row("D: sink at that rate, gap, median second", [windows["sink_gap_ms_median"]], "ms"),
        Row("D: first window, a million new series, gap", [windows["first_gap_ms_max"]], "ms"),
        Row("D: window closing, resident at the peak", [windows["peak_bytes"] / MB], "MB",
            note="two windows, and the bytes of one on their way"),
    ]
