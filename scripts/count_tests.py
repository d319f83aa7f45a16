#!/usr/bin/env python3
"""Adds up what tests said: one row a build and suite, why each failure failed, and the last line
`N passed, N failed`.

    count_tests.py RESULTS
    count_tests.py --self-test

RESULTS has one line an item, fields separated by tabs:

    log   BUILD  FILE                        a testlog.json of meson; each doctest case in it is an item
    item  BUILD  SUITE  NAME  STATUS  [WHY]  passed, failed or skipped; why it failed

Exit status 1 if anything failed or if nothing passed.
"""

import json
import re
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

DOCTEST = re.compile(r"test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed\s*\|\s*(\d+) skipped")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
STATUS = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped"}

CHECK = re.compile(r"\S*?([^/\s]+:\d+): (?:FATAL )?ERROR: (.*)")  # doctest's, for a check that failed
VALUES = re.compile(r"\s+values?: (.*)")
SANITIZER = re.compile(r"SUMMARY: \w+Sanitizer: .*|.*: runtime error: .*")
REASONS_MAX = 3
REASON_CHARACTERS_MAX = 300


def output_of(test):
    return COLOUR.sub("", (test.get("stdout") or "") + "\n" + (test.get("stderr") or ""))


def count_test(test):
    """The items of one program: doctest's own counts, or one for a program without them."""
    found = DOCTEST.search(output_of(test))
    status = STATUS.get(test["result"], "failed")
    if not found:
        return Counter({status: 1})
    _, passed, failed, skipped = map(int, found.groups())
    # A sanitizer's report or a crash at the end fails the program although each case passed.
    if status == "failed" and failed == 0:
        failed = 1
    return Counter(passed=passed, failed=failed, skipped=skipped)


def reasons_of(test):
    """Why a program failed, the first few reasons: its checks with their values, a sanitizer's word, and
    how it ended if not by itself."""
    reasons = []
    for line in output_of(test).splitlines():
        check, values = CHECK.match(line), VALUES.match(line)
        if check:
            reasons.append(f"{check[1]}: {check[2]}")
        elif values and reasons:
            reasons[-1] += f" [{values[1]}]"
        elif SANITIZER.match(line):
            reasons.append(line.strip())
    status = test.get("returncode") or 0
    if test["result"] == "TIMEOUT":
        reasons.insert(0, f"did not end within {test['duration']:.0f} s")
    elif status < 0:
        reasons.insert(0, f"ended by signal {-status}")
    elif not reasons:
        reasons.append(f"exit status {status}")
    more = len(reasons) - REASONS_MAX
    return [shortened(reason) for reason in reasons[:REASONS_MAX]] + ([f"and {more} more"] if more > 0 else [])


def shortened(reason):
    reason = " ".join(reason.split())
    return reason if len(reason) <= REASON_CHARACTERS_MAX else reason[:REASON_CHARACTERS_MAX] + "..."


def read_log(path):
    """(suite, counts, test) of each program in a testlog.json: one JSON object a line."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            test = json.loads(line)
            place, _, test["name"] = test["name"].rpartition(" / ")  # "tallyd:unit / unit parse"
            yield place.partition(":")[2] or "-", count_test(test), test


def read_results(path):
    """(rows, failures): counts by (build, suite), and (what failed, its reasons)."""
    rows = defaultdict(Counter)
    failures = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            kind, build, *fields = line.rstrip("\n").split("\t")
            if kind == "log":
                for suite, counts, test in read_log(fields[0]):
                    rows[build, suite] += counts
                    rows[build, suite]["seconds"] += test["duration"]
                    if counts["failed"]:
                        failures.append((f"{build}: {test['name']}: {counts['failed']} failed", reasons_of(test)))
            else:
                suite, name, status, *why = fields
                rows[build, suite][status] += 1
                if status == "failed":
                    failures.append((f"{build}: {name}", [shortened(reason) for reason in why if reason]))
    return rows, failures


def main(results):
    rows, failures = read_results(results)
    print(f"\n{'build':<12}{'suite':<12}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    total = Counter()
    for (build, suite), row in rows.items():
        total += row
        print(f"{build:<12}{suite:<12}{row['passed']:>8}{row['failed']:>8}{row['skipped']:>9}"
              f"{row['seconds']:>9.1f}")
    for failure, reasons in failures:
        print(f"FAILED {failure}")
        for reason in reasons:
            print(f"  {reason}")
    skipped = f", {total['skipped']} skipped" if total["skipped"] else ""
    print(f"{total['passed']} passed, {total['failed']} failed{skipped}")
    return 1 if total["failed"] or not total["passed"] else 0


# ------------------------------------------------------------------------------------ self-test

def self_test():
    red = ("\x1b[31m../../tests/io/http_test.cpp:12: ERROR: CHECK( a == b ) is NOT correct!\n"
           "  values: CHECK( 1 == 2 )\n  logged: row := 3\n\x1b[0m"
           "../../tests/io/http_test.cpp:20: FATAL ERROR: REQUIRE( ok ) is NOT correct!\n"
           "[doctest] test cases: 5 | 3 passed | 2 failed | 1 skipped\n")
    green = "[doctest] test cases: 4 | 4 passed | 0 failed | 0 skipped\n"
    logged = [
        {"name": "tallyd:io / http", "result": "FAIL", "returncode": 1, "duration": 1.5, "stdout": red},
        {"name": "tallyd:io / late", "result": "TIMEOUT", "returncode": -15, "duration": 240.2, "stdout": green},
        {"name": "tallyd:io / race", "result": "FAIL", "returncode": 66, "duration": 1, "stdout": green,
         "stderr": "SUMMARY: ThreadSanitizer: data race a.cpp:1 in f\n"},
        {"name": "tallyd:io / crash", "result": "FAIL", "returncode": -11, "duration": 1},
        {"name": "tallyd:lint / mute", "result": "FAIL", "returncode": 3, "duration": 1},
        {"name": "tallyd:lint / fine", "result": "OK", "returncode": 0, "duration": 1},
        {"name": "tallyd:lint / absent", "result": "SKIP", "returncode": 77, "duration": 1},
    ]
    with tempfile.TemporaryDirectory() as directory:
        log, results = Path(directory, "testlog.json"), Path(directory, "results")
        log.write_text("".join(json.dumps(test) + "\n" for test in logged), encoding="utf-8")
        results.write_text(f"log\tgcc\t{log}\nitem\tpage\tmock\ta claim\tfailed\tit was blue\n"
                           "item\tclients\tgo\tcactus\tfailed\nitem\tclients\tgo\tother\tpassed\n",
                           encoding="utf-8")
        rows, failures = read_results(results)
    wanted = [
        ("gcc: http: 2 failed", ["http_test.cpp:12: CHECK( a == b ) is NOT correct! [CHECK( 1 == 2 )]",
                                 "http_test.cpp:20: REQUIRE( ok ) is NOT correct!"]),
        ("gcc: late: 1 failed", ["did not end within 240 s"]),
        ("gcc: race: 1 failed", ["SUMMARY: ThreadSanitizer: data race a.cpp:1 in f"]),
        ("gcc: crash: 1 failed", ["ended by signal 11"]),
        ("gcc: mute: 1 failed", ["exit status 3"]),
        ("page: a claim", ["it was blue"]),
        ("clients: cactus", []),
    ]
    assert failures == wanted, failures
    counts = {key: (row["passed"], row["failed"], row["skipped"]) for key, row in rows.items()}
    assert counts == {("gcc", "io"): (11, 5, 1), ("gcc", "lint"): (1, 1, 1), ("page", "mock"): (0, 1, 0),
                      ("clients", "go"): (1, 1, 0)}, counts
    many = {"result": "FAIL", "returncode": 1, "duration": 1, "stdout": red * 3}
    assert reasons_of(many)[3:] == ["and 3 more"], reasons_of(many)
    print("count_tests.py: ok")
    return 0


if __name__ == "__main__":
    sys.exit(self_test() if sys.argv[1:] == ["--self-test"] else main(sys.argv[1]))
