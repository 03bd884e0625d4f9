"""Random programs of branches, loops, tensor arrays, tables and calls in each other: what TensorFlow makes of them, and graphgrad.

GRAPHGRAD_DRAWS says how many times ten of each kind. A failure names its program, which
`python -m tests.oracle.flow_draws KIND --first N --count 1` repeats alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import tensorflow as tf

from tests.oracle.flow_draws import LEVELS, PROGRAMS
from tests.oracle.flow_draws.check import check

tf1 = tf.compat.v1
COUNT = 10 * int(os.environ.get("GRAPHGRAD_DRAWS", "3"))
# Programs that once came out otherwise than TensorFlow's.
MENDED = {"v1": (54,), "meta": (3, 12, 187, 13024), "v2": (12, 121, 1090, 1381), "calls": ()}
MENDED_TWICE = {
    "v2": (31, 66, 79, 1076, 5005, 5028, 5063, 5094, 7104, 9031, 20084, 20139)
}  # ... when they were differentiated twice
MENDED_THRICE = {"v2": (14, 16, 44, 233, 393)}


@pytest.fixture(autouse=True)
def as_in_the_programs() -> Iterator[None]:
    with tf.Graph().as_default():
        tf1.disable_resource_variables()
        yield
        tf1.disable_control_flow_v2()


@pytest.mark.parametrize("kind", PROGRAMS)
def test_nodes_and_numbers(kind: str) -> None:
    levels = (
        LEVELS[:2] if kind == "v1" else LEVELS
    )  # without its ranks the GraphDef alone does not say what Python knew
    seeds = [*MENDED[kind], *range(200, 200 + COUNT)]
    verdicts = {seed: check(seed, kind, levels[seed % len(levels)]) for seed in seeds}
    verdicts |= {seed: check(seed, kind, levels[seed % len(levels)], 2) for seed in MENDED_TWICE.get(kind, ())}
    verdicts |= {seed: check(seed, kind, levels[seed % len(levels)], 3) for seed in MENDED_THRICE.get(kind, ())}
    problems = [f"{kind} {seed}: {verdict.problem}" for seed, verdict in verdicts.items() if verdict.problem]
    assert not problems, "\n".join(problems[:5])
    assert sum(verdict.orders for verdict in verdicts.values()) > len(seeds) / 2, "too few could be compared"
