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
    def note(found):
        bound = "all that the sender sent; " if any(one.sender_bound for one in found) else ""
        return f"{bound}{sum(one.dropped for one in found):,} dropped by the kernel"

    def sink(letter, what):
        found = [repeat["tallyd", letter].sink for repeat in repeats]
        return Row(f"{letter}: zero-loss, sink", [statistics.mean(getattr(one, what) for one in two) for two in found],
                   f"{what}/s", note=note([one for two in found for one in two]))

    def tallyd(who, letter, what, at_least=None):
        paired = [repeat[who, letter] for repeat in repeats]
        found = [one.found for one in paired]
        name = {"new": "from its first line on"}.get(who, who)
        return Row(f"{letter}: zero-loss, {name}", [getattr(one, what) for one in found], f"{what}/s",
                   [one.ratio(what) for one in paired], at_least,
                   note=f"ratio to the sink's {'A' if letter == 'A' else 'B'} beside it; {note(found)}")

    return [sink("A", "packets"), tallyd("tallyd", "A", "packets", 0.92), sink("B", "metrics"),
            tallyd("tallyd", "B", "metrics", 0.50), tallyd("tallyd", "C", "metrics", 0.20),
            tallyd("tallyd", "D", "metrics", 0.24), tallyd("new", "D", "metrics"),
            tallyd("tallyd", "E", "metrics", 0.24)]


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
