"""Searches for differences by hand: python -m tests.oracle.kernel_draws REGEX [-n DRAWS] [--seed SEED]."""

from __future__ import annotations

import argparse
import re
import sys
import time

from hypothesis import Phase

from tests import call_store
from tests.oracle.kernel_draws import recipes
from tests.oracle.kernel_draws.comparing import Different, compare
from tests.oracle.kernel_draws.drawing import Draw
from tests.oracle.write_calls import call_of


def main() -> int:
    """Prints one line per op, and a draw that differs under it; 1 where there was one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("regex", help="of op types, matched as a whole; or a module's name after '@'")
    parser.add_argument("-n", "--draws", type=int, default=100, help="draws for each op")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--unbounded",
        type=float,
        default=0,
        metavar="SHARE",
        help="this share of all floating-point numbers is NaN or infinite, in arrays whose recipe spares them too",
    )
    parser.add_argument(
        "--keep", action="store_true", help="store what differs in tests/golden, as a test of the suite"
    )
    parser.add_argument("--shrink", action="store_true", help="look for simpler draws that differ")
    arguments = parser.parse_args()
    phases = (Phase.generate, Phase.shrink) if arguments.shrink else (Phase.generate,)
    failed = 0
    for op_type, recipe in recipes().items():
        if not re.fullmatch(arguments.regex, op_type) and arguments.regex != f"@{recipe.__module__.rsplit('.')[-1]}":
            continue
        start = time.perf_counter()
        try:
            ran = compare(op_type, arguments.draws, arguments.seed, phases, unbounded=arguments.unbounded)
            print(f"{op_type}: {ran} draws agree, {time.perf_counter() - start:.1f} s", flush=True)
        except Exception as error:
            failed += 1
            error = next(iter(getattr(error, "exceptions", [error])))
            if arguments.keep and isinstance(error, Different):
                keep(error.found)
            print(f"{op_type}: {type(error).__name__} {error}"[:1500], flush=True)
    return 1 if failed else 0


def keep(found: Draw) -> None:
    """Stores a draw with what TensorFlow gives."""
    call = call_of(found)
    assert call is not None
    call_store.write([*call_store.read(), call._replace(kept=True)])


if __name__ == "__main__":
    sys.exit(main())
