"""Draws a few calls of every op with a kernel beside TensorFlow and stores them, with its answers, in tests/golden.

Run in the oracle's environment: python -m tests.oracle.write_calls [REGEX ...]; ops that are not named keep theirs. Calls that
`kernel_draws --keep` has stored, which once differed, are kept. Of many draws those are stored that have most to say.
"""

from __future__ import annotations

import argparse
import re
import sys
import zlib
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests import call_store
from tests.call_store import Call
from tests.oracle.kernel_draws import recipes, spares
from tests.oracle.kernel_draws.beside import tensorflow
from tests.oracle.kernel_draws.comparing import answered, can_be, is_lacking, serialized
from tests.oracle.kernel_draws.drawing import Draw, draw_of

DRAWS, STORED = 60, 4
MOST_ELEMENTS = 150


def call_of(found: Draw) -> Call | None:
    """A draw with TensorFlow's answer; None where it has none."""
    graph, feeds, outputs, reply = answered(found)
    if is_lacking(reply) or (reply[0] == "refused" and "lenient" in spares(found.op_type)):
        return None
    names = [t.name for t in outputs]
    if reply[0] == "refused":
        return Call(found.op_type, repr(found), serialized(graph), feeds, names, None, None)
    spared = spares(found.op_type)
    values = [
        None if v is None or f"values {i}" in spared else np.asarray(v, object if isinstance(v, bytes) else None)
        for i, v in enumerate(reply[1])
    ]
    contradicts = not all(
        can_be(s, None if v is None else np.shape(v)) for s, v in zip(reply[2], reply[1], strict=True)
    )
    shapes = None if contradicts or "shape" in spared else reply[2]
    return Call(found.op_type, repr(found), serialized(graph), feeds, names, values, shapes)


def features(found: Draw, call: Call) -> set[str]:
    """What a call shows: dtypes, attributes, ranks, what is known beforehand, refusal."""
    shown = {"refused" if call.values is None else "values"}
    shown |= {f"{name}={value}" for name, value in found.attrs.items()}
    for i, (array, known) in enumerate(zip(found.flat(), found.known, strict=True)):
        shown |= {f"{i} of rank {array.ndim}", f"{i} of {array.dtype}", f"{i} known {type(known).__name__}"}
        shown |= {f"{i} empty"} if not array.size else set()
    return shown


def calls_of(op_type: str) -> list[Call]:
    """Some calls of an op, chosen so that each shows what those before it do not."""
    drawn: list[tuple[set[str], Call]] = []
    recipe, kernels = recipes()[op_type], tensorflow().kernels().get(op_type, [])

    @seed(zlib.crc32(op_type.encode()))
    @settings(
        max_examples=DRAWS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def search(data: Any) -> None:
        found = draw_of(lambda s: data.draw(s), op_type, recipe, kernels, spoil="bad" not in spares(op_type))
        if sum(array.size for array in found.flat()) <= MOST_ELEMENTS and (call := call_of(found)):
            drawn.append((features(found, call), call))

    search()
    chosen: list[Call] = []
    seen: set[str] = set()
    while drawn and len(chosen) < STORED:
        best = max(drawn, key=lambda d: len(d[0] - seen))
        drawn.remove(best)
        seen |= best[0]
        chosen.append(best[1])
    return chosen


def main() -> None:
    """Writes the calls of the ops named, of all where none is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("regex", nargs="?", default=".*", help="of op types, matched as a whole")
    regex = parser.parse_args().regex
    new = {op: calls_of(op) for op in recipes() if re.fullmatch(regex, op)}
    old = [call for call in call_store.read() if call.kept or call.op_type not in new]
    call_store.write([*old, *[call for calls in new.values() for call in calls]])
    print({op: len(calls) for op, calls in new.items() if len(calls) < STORED}, file=sys.stderr)


if __name__ == "__main__":
    main()
