"""Random graphs of a score of op kinds: the gradients that are written against finite differences in float64.

Hypothesis draws the graphs from fixed seeds, so that a failure repeats; it is shown as the smallest graph that fails.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphgrad import compile as compile_graph
from graphgrad import dtypes
from graphgrad.backprop import AGGREGATION_METHODS
from graphgrad.differentiate import gradients
from graphgrad.graph import Graph
from graphgrad.runtime.plan import evaluate
from graphgrad.tensors import IndexedSlices, Tensor

ROWS, COLUMNS = 3, 2
SHAPE = (ROWS, COLUMNS)


def smooth(op_type: str) -> Any:
    return lambda g, a, b: getattr(g, op_type)(a)


def joined(op_type: str) -> Any:
    return lambda g, a, b: getattr(g, op_type)(a, b)


def halves(g: Any, a: Tensor, b: Tensor) -> Tensor:
    """One piece of each, put together the other way round."""
    left, _ = g.Split(1, a, num_split=COLUMNS)
    _, right = g.Unpack(b, num=COLUMNS, axis=1)
    return g.ConcatV2([g.ExpandDims(right, 1), left], 1)


# Every kind takes two matrices and makes one of the same shape.
KINDS = {
    **{op: smooth(op) for op in ("Tanh", "Sin", "Sigmoid", "Softplus", "Softmax", "Erf", "Square", "Neg", "Identity")},
    **{op: joined(op) for op in ("AddV2", "Sub", "Mul", "SquaredDifference")},
    "Exp": lambda g, a, b: g.Exp(g.Tanh(a)),
    "RealDiv": lambda g, a, b: g.RealDiv(a, g.AddV2(g.Square(b), g.constant(1.0, dtypes.float64))),
    "MatMul": lambda g, a, b: g.MatMul(a, g.MatMul(b, a, transpose_a=True)),
    "Row": lambda g, a, b: g.Mul(a, g.Sum(b, [0], keep_dims=True)),
    "Scalar": lambda g, a, b: g.AddV2(g.Mean(a, [0, 1]), b),
    "Prod": lambda g, a, b: g.Sub(a, g.ExpandDims(g.Prod(b, [-1]), 1)),
    "Transpose": lambda g, a, b: g.Reshape(g.Transpose(a, [1, 0]), list(SHAPE)),
    "Gather": lambda g, a, b: g.AddV2(g.GatherV2(a, [2, 0, 0], 0), b),
    "Slice": lambda g, a, b: g.Slice(g.Pad(a, [[1, 0], [0, 1]]), [0, 1], list(SHAPE)),
    "Tile": lambda g, a, b: g.StridedSlice(g.Tile(a, [2, 1]), [5, 0], [-7, 2], [-2, 1]),
    "Pack": lambda g, a, b: g.Sum(g.Pack([a, b, a]), [0]),
    "Select": lambda g, a, b: g.SelectV2(g.Greater(g.constant([[0.0], [1.0], [0.0]]), 0.5), a, b),
    "AddN": lambda g, a, b: g.AddN([a, b, b]),
    "Cumsum": lambda g, a, b: g.Cumsum(a, 0, exclusive=True),
    "Segment": lambda g, a, b: g.UnsortedSegmentSum(a, [1, 2, 1], ROWS),
    "Halves": halves,
}

steps = st.tuples(st.sampled_from(sorted(KINDS)), st.integers(0, 99), st.integers(0, 99))
known = st.sampled_from([SHAPE, (None, COLUMNS), (None, None), None])


class Drawn:
    """A graph of steps, each on tensors made before it; y adds up what nothing else reads."""

    def __init__(self, shapes: list[Any], kinds: list[tuple[str, int, int]]):
        self.graph = Graph()
        g = self.graph.build
        self.xs = [g.Placeholder(dtype=dtypes.float64, shape=s, name=f"x{i}") for i, s in enumerate(shapes)]
        self.feeds = {
            x.name: np.cos(np.arange(ROWS * COLUMNS) * (1.3 + i) + i).reshape(SHAPE) for i, x in enumerate(self.xs)
        }
        made, read = list(self.xs), set()
        for kind, first, second in kinds:
            a, b = made[first % len(made)], made[second % len(made)]
            made.append(KINDS[kind](g, a, b))
            read |= {a, b}
        self.y = g.Sum(g.AddN([t for t in made if t not in read]), g.range(0, 2))

    def dense(self, gradient: Any) -> Any:
        return self.graph.build.dense(gradient) if isinstance(gradient, IndexedSlices) else gradient

    def slopes(self, y: Tensor) -> list[float]:
        """Of y along one direction per x, by differences."""
        run, step = compile_graph(self.graph, [y], list(self.feeds)).run, 1e-6
        found = []
        for x in self.xs:
            sides = [run({**self.feeds, x.name: self.feeds[x.name] + s * step * DIRECTION})[0] for s in (1, -1)]
            found.append(float(sides[0] - sides[1]) / (2 * step))
        return found

    def along(self, gradient: Any) -> float:
        return 0.0 if gradient is None else float(np.vdot(DIRECTION, evaluate(self.graph, gradient, self.feeds)))


DIRECTION = np.sin(np.arange(ROWS * COLUMNS) * 2.1 + 0.4).reshape(SHAPE)
drawn = settings(
    max_examples=80, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@drawn
@given(st.lists(known, min_size=1, max_size=3), st.lists(steps, min_size=1, max_size=9), st.booleans())
def test_gradients_are_slopes(shapes: list[Any], kinds: list[tuple[str, int, int]], is_gated: bool) -> None:
    case = Drawn(shapes, kinds)
    for method in AGGREGATION_METHODS[::2]:
        found = gradients(case.y, case.xs, gate_gradients=is_gated, aggregation_method=method)
        slopes = [case.along(case.dense(d)) for d in found]
        assert slopes == pytest.approx(case.slopes(case.y), rel=1e-5, abs=1e-6)


@drawn
@given(st.lists(known, min_size=1, max_size=2), st.lists(steps, min_size=1, max_size=6))
def test_gradients_of_gradients_are_slopes(shapes: list[Any], kinds: list[tuple[str, int, int]]) -> None:
    """The gradient to every x, weighted by the direction, is a function whose slopes are checked in turn."""
    case = Drawn(shapes, kinds)
    g = case.graph.build
    first = [case.dense(d) for d in gradients(case.y, case.xs)]
    weighted = [g.Sum(d * DIRECTION.tolist(), g.range(0, 2)) for d in first if d is not None]
    if not weighted:
        return
    slope = g.AddN(weighted)
    second = [case.dense(d) for d in gradients(slope, case.xs)]
    assert [case.along(d) for d in second] == pytest.approx(case.slopes(slope), rel=1e-4, abs=1e-5)


@drawn
@given(st.lists(steps, min_size=1, max_size=6))
def test_what_is_known_of_shapes_changes_no_number(kinds: list[tuple[str, int, int]]) -> None:
    found = []
    for shape in (SHAPE, (None, None), None):
        case = Drawn([shape, shape], kinds)
        found.append([case.along(case.dense(d)) for d in gradients(case.y, case.xs)])
    assert found[1] == pytest.approx(found[0]) and found[2] == pytest.approx(found[0])
