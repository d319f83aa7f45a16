#!/usr/bin/env python3
"""Adds up what tests said: one row a build and suite, and the last line `N passed, N failed`.

    count_tests.py RESULTS

RESULTS has one line an item, fields separated by tabs:

    log   BUILD  FILE                  a testlog.json of meson; each doctest case in it is an item
    item  BUILD  SUITE  NAME  STATUS   passed, failed or skipped

Exit status 1 if anything failed or if nothing passed.
"""

import json
import re
import sys
from collections import Counter, defaultdict

DOCTEST = re.compile(r"test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed\s*\|\s*(\d+) skipped")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
STATUS = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped"}


def count_test(test):
    """The items of one program: doctest's own counts, or one for a program without them."""
    found = DOCTEST.search(COLOUR.sub("", test.get("stdout") or ""))
    status = STATUS.get(test["result"], "failed")
    if not found:
        return Counter({status: 1})
    _, passed, failed, skipped = map(int, found.groups())
    # A sanitizer's report or a crash at the end fails the program although each case passed.
    if status == "failed" and failed == 0:
        failed = 1
    return Counter(passed=passed, failed=failed, skipped=skipped)


def read_log(path):
    """(suite, counts, seconds, name) of each program in a testlog.json: one JSON object a line."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            test = json.loads(line)
            place, _, name = test["name"].rpartition(" / ")  # "tallyd:unit / unit parse"
            yield place.partition(":")[2] or "-", count_test(test), test["duration"], name


def main(results):
    rows = defaultdict(Counter)
    failures = []
    with open(results, encoding="utf-8") as lines:
        for line in lines:
            kind, build, *fields = line.rstrip("\n").split("\t")
            if kind == "log":
                for suite, counts, seconds, name in read_log(fields[0]):
                    rows[build, suite] += counts
                    rows[build, suite]["seconds"] += seconds
                    if counts["failed"]:
                        failures.append(f"{build}: {name}: {counts['failed']} failed")
            else:
                suite, name, status = fields
                rows[build, suite][status] += 1
                if status == "failed":
                    failures.append(f"{build}: {name}")

    print(f"\n{'build':<12}{'suite':<12}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    total = Counter()
    for (build, suite), row in rows.items():
        total += row
        print(f"{build:<12}{suite:<12}{row['passed']:>8}{row['failed']:>8}{row['skipped']:>9}"
              f"{row['seconds']:>9.1f}")
    for failure in failures:
        print(f"FAILED {failure}")
    skipped = f", {total['skipped']} skipped" if total["skipped"] else ""
    print(f"{total['passed']} passed, {total['failed']} failed{skipped}")
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
