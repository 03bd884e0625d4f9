"""Integers from the operating system."""

from __future__ import annotations

import numpy as np

from graphgrad import dtypes, evaluate
from graphgrad.formats import arrays
from graphgrad.graph import Graph


def test_integers_of_every_run_are_others() -> None:
    g = Graph().build
    shape = g.Const(value=arrays.to_proto(np.array([4, 5])), dtype=dtypes.int64)
    drawn = g.op("NonDeterministicInts", shape, dtype=dtypes.int64).outputs[0]
    first, second = (evaluate(g.graph, drawn, {}) for _ in range(2))
    assert first.shape == (4, 5) and drawn.shape == (4, 5)
    assert (first != second).any()
