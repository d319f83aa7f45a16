"""What run and differential have in common: options, verdicts, and the items that scripts/test counts."""

import argparse
import os
import sys
from pathlib import Path

from install import Missing, Shop

ROOT = Path(__file__).resolve().parents[2]
FAILED = 3  # the exit status; 1 is what python gives when a test itself is broken
WORDS = {"passed": "PASS", "failed": "FAIL", "skipped": "SKIP"}


def parser(documentation):
    options = argparse.ArgumentParser(description=documentation.splitlines()[0])
    options.add_argument("--tallyd", type=Path, default=ROOT / "build/test-gcc/src/tallyd")
    options.add_argument("--no-install", action="store_true", help="skip what is not in the cache")
    options.add_argument("--cache", type=Path, default=ROOT / "build/clients")
    options.add_argument("--results", type=Path, help="append an item a line, as scripts/count_tests.py reads it")
    return options


class Suite:
    """Runs tests, says how each went, and remembers it."""

    def __init__(self, options):
        if not os.access(options.tallyd, os.X_OK):
            sys.exit(f"{options.tallyd}: no such program; build it (scripts/test --quick), or give --tallyd")
        self.tallyd = options.tallyd.resolve()
        self.shop = Shop(options.cache.resolve(), not options.no_install)
        self._results = options.results
        self._items = []

    def run(self, group, name, test, *arguments):
        """`test` gets the suite and the arguments; it returns faults, one text each, and a word on success."""
        try:
            faults, word = test(self, *arguments)
            status, why = ("failed", "; ".join(faults[:10])) if faults else ("passed", word)
        except Missing as missing:
            status, why = "skipped", str(missing)
        except RuntimeError as error:
            status, why = "failed", str(error)
        print(f"{WORDS[status]} {name}{': ' if why else ''}{why}", flush=True)
        self._items.append((group, name, status, " ".join(why.split()) if status == "failed" else ""))

    def finish(self):
        """The exit status."""
        if self._results:
            with self._results.open("a", encoding="utf-8") as results:
                results.writelines("\t".join(("item", "clients", *item)) + "\n" for item in self._items)
        return FAILED if any(status == "failed" for _, _, status, _ in self._items) else 0
