#!/usr/bin/env python3
"""Instructions that parsing and aggregating a fixed input take: a regression shows to the digit, on any machine.

    instructions.py --program BENCH_MEMORY [--record]

Counts with callgrind what `bench_memory --count` does and compares with instructions.json, which knows the
counts by compiler and by the SIMD that the processor has. More than 3 % beside the record is a failure
(status 1): fewer, too, for then the record is to be renewed (--record). What is not on record is skipped
(status 77).
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

TOLERANCE = 0.03
RECORD = pathlib.Path(__file__).with_name("instructions.json")
SUBJECTS = [("parse", "B"), ("ingest", "B"), ("ingest", "C"), ("ingest", "E")]
SKIPPED = 77  # as meson and automake have it


def instructions(program, stage, workload):
    # Its own folder and hardly an environment: the length of its arguments and variables moves its stack, and where
    # that stands beside a page's end costs up to a tenth.
    program = pathlib.Path(program).resolve()
    with tempfile.NamedTemporaryFile() as out:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--toggle-collect=count_*", f"--callgrind-out-file={out.name}",
             f"./{program.name}", "--count", stage, "--workloads", workload, "--rounds", "2"],
            cwd=program.parent, env={"PATH": "/usr/bin:/bin"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=True)
    return int(re.search(r"Collected *: *(\d+)", done.stderr)[1])


def machine():
    compiler = subprocess.run(["g++", "-dumpfullversion"], capture_output=True, text=True, check=True).stdout.strip()
    flags = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    has_all = all(f" {each} " in flags for each in ("aes", "avx2", "bmi1"))
    return f"g++ {compiler}, {'avx2' if has_all else 'sse2'}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    records = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    here = machine()
    if here not in records and not arguments.record:
        print(f"no record of {here} in {RECORD.name}: skipped")
        return SKIPPED
    counted = {f"{stage} {workload}": instructions(arguments.program, stage, workload)
               for stage, workload in SUBJECTS}
    if arguments.record:
        records[here] = counted
        RECORD.write_text(json.dumps(records, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    far_off = 0
    for subject, count in counted.items():
        ratio = count / records[here][subject]
        is_far_off = abs(ratio - 1) > TOLERANCE
        far_off += is_far_off
        print(f"{subject}: {count:,} instructions, {ratio:.3f} of the record{': TOO FAR' if is_far_off else ''}")
    return 1 if far_off else 0


if __name__ == "__main__":
    sys.exit(main())
