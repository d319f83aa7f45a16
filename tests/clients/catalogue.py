"""The twenty metrics that every client sends, as far as its API has them, and the points that must come out.

A program sends them under the prefix `m`:

    hits      one increment                       login     a timer of 320
    bytes     counts of 5 and 7                   query     timers of 10, 20, 60
    stock     three decrements                    fraction  a timer of 1.5
    part      a count of 2.5                      block     a timer around a block of code
    drawn     1000 increments, rate 0.5           lap       1000 timers of 5, rate 0.5
    level     gauge 42                            users     set: ann, bob, ann, cat
    ratio     gauge 0.25                          codes     set: 200, 404, 200
    depth     gauge -7                            size      histogram of 3, 5, 10
    queue     gauge 100, then +5, then -20        spread    distribution of 1, 9
    tagged    one increment, env=prod region=eu   größe     one increment

Clients of DogStatsD also send `stamped` (a count of 3, two hours ago, so before any window that can be open), the event "deploy" with the text
"v2 is out" and the service check "db" with status 1.

Sampling is the clients' own, by their own random numbers: so the sum has to be near 1000 (six standard
deviations: wrong once in 500 million sums; a rate ignored or used twice is 16 or more away) and of even
weight.
"""

import math
import time
from dataclasses import dataclass
from typing import Callable

PERCENTILES = {"p50": 50, "p75": 75, "p95": 95, "p99": 99, "p999": 99.9}
SAMPLED, RATE = 1000, 0.5
TAGS = frozenset({("env", "prod"), ("region", "eu")})


@dataclass(frozen=True)
class Rule:
    """A value that cannot be known to the digit."""
    text: str
    holds: Callable[[float], bool]


def near(total, step):
    deviation = 6 * math.sqrt(SAMPLED * (1 - RATE) / RATE) * step * RATE
    return Rule(f"{total} +- {deviation:.0f} in steps of {step:g}",
                lambda value: abs(value - total) <= deviation and value % step == 0)


def nearest_rank(ordered, percent):
    return ordered[max(math.ceil(percent / 100 * len(ordered)), 1) - 1]


def statistics(*values):
    mean = sum(values) / len(values)
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
    fields = {"count": len(values), "mean": mean, "min": min(values), "max": max(values),
              "sum": sum(values), "stddev": spread}
    return fields | {name: nearest_rank(sorted(values), percent) for name, percent in PERCENTILES.items()}


def sampled_timer():
    return statistics(5) | {"count": near(SAMPLED, 1 / RATE), "sum": near(5 * SAMPLED, 5 / RATE)}


def measured_timer():
    some_time = Rule("0 .. 10000", lambda value: 0 <= value <= 10000)
    return {name: some_time for name in statistics(0)} | {"count": 1, "stddev": 0}


CATALOGUE = {
    "hits": ("count", {"count": 1}),
    "bytes": ("count", {"count": 12}),
    "stock": ("count", {"count": -3}),
    "part": ("count", {"count": 2.5}),
    "drawn": ("count", {"count": near(SAMPLED, 1 / RATE)}),
    "tagged": ("count", {"count": 1}),
    "größe": ("count", {"count": 1}),
    "level": ("gauge", {"value": 42}),
    "ratio": ("gauge", {"value": 0.25}),
    "depth": ("gauge", {"value": -7}),
    "queue": ("gauge", {"value": 85}),
    "login": ("timer", statistics(320)),
    "query": ("timer", statistics(10, 20, 60)),
    "fraction": ("timer", statistics(1.5)),
    "block": ("timer", measured_timer()),
    "lap": ("timer", sampled_timer()),
    "users": ("set", {"count": 3}),
    "codes": ("set", {"count": 2}),
    "size": ("histogram", statistics(3, 5, 10)),
    "spread": ("distribution", statistics(1, 9)),
}
assert len(CATALOGUE) == 20


def dogstatsd_points(extras, scope):
    """What `extras` names; `scope` is what the client puts before the names of events and checks."""
    two_hours = Rule("7200 and what the client took", lambda value: 7198 <= value <= 7270)
    points = {
        "stamped": (("m.stamped.count", frozenset()), {"count": 3, "seconds_ago": two_hours}),
        "event": (("events", frozenset()), {"title": f"{scope}deploy", "text": "v2 is out",
                                            "priority": "normal", "alert_type": "info"}),
        "check": (("service_checks", frozenset({("check", f"{scope}db")})), {"status": 1}),
    }
    return dict(points[name] for name in extras)


def expected_points(lacks, differs, extras, scope):
    """{(measurement, tags): fields}; the rate of a counter follows from its count and stands in none."""
    points = {}
    for name, (kind, fields) in CATALOGUE.items():
        if name not in lacks:
            tags = TAGS if name == "tagged" else frozenset()
            points[f"m.{name}.{kind}", tags] = differs.get(name, fields)
    return points | dogstatsd_points(extras, scope)


def differs_from(got, want):
    if got is None or isinstance(want, str):
        return got != want
    if isinstance(want, Rule):
        return not want.holds(got)
    return not math.isclose(got, want, rel_tol=1e-9, abs_tol=1e-9)


def field_faults(name, fields, wanted, interval_s):
    for field in sorted(fields.keys() - wanted.keys() - {"rate"}):
        yield f"{name}: unexpected field {field}={fields[field]}"
    for field, want in wanted.items():
        if differs_from(fields.get(field), want):
            text = want.text if isinstance(want, Rule) else want
            yield f"{name}: {field} is {fields.get(field)}, wanted {text}"
    if "rate" in fields and differs_from(fields["rate"], fields["count"] / interval_s):
        yield f"{name}: rate is {fields['rate']}, but its count is {fields['count']}"


def fields_of(point, wanted):
    """Its fields, and where its age is wanted that too."""
    age = {"seconds_ago": time.time() - point.seconds()} if "seconds_ago" in wanted else {}
    return point.fields | age


def shown(key):
    return ",".join([key[0], *sorted(f"{tag}={value}" for tag, value in key[1])])


def faults(points, wanted, interval_s):
    """Every way in which the points are not those that are wanted, one text each."""
    found = {(point.measurement, point.tags): point for point in points}
    if len(found) < len(points):
        yield "two points of one series in one window"
    for key in sorted(found.keys() - wanted.keys(), key=shown):
        yield f"unexpected point {shown(key)} {found[key].fields}"
    for key, fields in wanted.items():
        if key in found:
            yield from field_faults(shown(key), fields_of(found[key], fields), fields, interval_s)
        else:
            yield f"no point {shown(key)}"
