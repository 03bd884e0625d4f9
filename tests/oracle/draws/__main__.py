"""Draws cases and compares: python -m tests.oracle.draws [REGEX] [--count N] [--seed S] [--first N]

Prints one block per difference, and a line of counts per op type.
"""

from __future__ import annotations

import argparse
import os
import re
from collections import Counter

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from tests.oracle.draws import sketches
from tests.oracle.draws.check import check

tf.compat.v1.disable_control_flow_v2()


def main() -> None:
    """Compares, and prints what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pattern", nargs="?", default="", help="op types to draw, as a regular expression")
    parser.add_argument("--count", type=int, default=10, help="draws per op type")
    parser.add_argument("--first", type=int, default=0, help="number of the first draw")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws other cases")
    parser.add_argument("--show", type=int, default=3, help="failures shown of each op type")
    parser.add_argument("--notes", action="store_true", help="print what could not be compared")
    arguments = parser.parse_args()
    for op_type in [op for op in sketches() if re.search(arguments.pattern, op)]:
        totals: Counter[str] = Counter()
        notes: Counter[str] = Counter()
        for number in range(arguments.first, arguments.first + arguments.count):
            verdict = check(op_type, number, arguments.seed)
            totals.update(["draws", f"order {verdict.orders}"] + ["numbers"] * verdict.numbers)
            totals.update(["FAILED"] * bool(verdict.problem))
            notes.update(verdict.notes)
            if verdict.problem and totals["FAILED"] <= arguments.show:
                print(verdict, flush=True)
        print(f"{op_type}: {dict(totals)}", flush=True)
        if arguments.notes:
            for note, count in notes.most_common(6):
                print(f"      {count} x {note[:200]}", flush=True)


if __name__ == "__main__":
    main()
