"""Draws programs and compares: python -m tests.oracle.flow_draws v1|meta|v2|calls [--first N] [--count N] [--level L] [--orders N]

Prints one block per difference, and a line of counts.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from tests.oracle.flow_draws import LEVELS, PROGRAMS
from tests.oracle.flow_draws.check import check


def main() -> None:
    """Compares, and prints what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=PROGRAMS)
    parser.add_argument("--first", type=int, default=0, help="number of the first program")
    parser.add_argument("--count", type=int, default=20, help="how many programs")
    parser.add_argument("--level", choices=LEVELS, help="what is known of shapes; each in turn where not said")
    parser.add_argument("--orders", type=int, default=1, help="how often each is differentiated")
    parser.add_argument("--notes", action="store_true", help="print what could not be compared")
    parser.add_argument("--length", type=int, default=3000, help="of what is printed of a difference")
    arguments = parser.parse_args()
    tf.compat.v1.disable_eager_execution()
    tf.compat.v1.disable_resource_variables()
    totals: Counter[str] = Counter()
    for seed in range(arguments.first, arguments.first + arguments.count):
        level = arguments.level or LEVELS[seed % len(LEVELS)]
        verdict = check(seed, arguments.kind, level, arguments.orders)
        totals.update([f"order {verdict.orders}"] + ["FAILED"] * bool(verdict.problem))
        if verdict.problem:
            print(f"{arguments.kind} {seed} {level}: {verdict.problem[: arguments.length]}", flush=True)
        if verdict.note and arguments.notes:
            print(f"    {seed} {level}: {verdict.note[:200]}", flush=True)
    print(dict(totals), flush=True)


if __name__ == "__main__":
    main()
