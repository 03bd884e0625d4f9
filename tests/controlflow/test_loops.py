"""Loops that TensorFlow's Python did not make: their iterations are not counted where it counts them."""

from __future__ import annotations

import numpy as np
import pytest

import graphgrad
from graphgrad import Graph, dtypes
from tests.loops import function, looped


def test_a_loop_that_counts_is_differentiated_as_it_is() -> None:
    graph, outputs = looped(3, [None], lambda g, i, x: [g.Mul(g.Sin(x), x)])
    [dx] = graphgrad.gradients(outputs[1], "x:0")
    assert len(outputs[0].op.inputs) == len(outputs[0].op.outputs) == 2 + 2  # two lists of what the gradient needs

    def f(x: float) -> float:
        for _ in range(3):
            x = np.sin(x) * x
        return x

    value = graphgrad.evaluate(graph, dx, {"x": np.float32(0.7)})
    assert value == pytest.approx((f(0.7 + 1e-6) - f(0.7 - 1e-6)) / 2e-6, rel=1e-4)


@pytest.mark.parametrize("calls", [1, 2])
def test_a_loop_that_does_not_count_is_made_to(calls: int) -> None:
    graph = Graph()
    g = graph.build
    x = g.Placeholder(dtype=dtypes.float32, shape=(), name="x")
    functions = {
        "cond": function(graph, "cond", [dtypes.float32], lambda g, x: [g.Less(x, 100.0)]),
        "body": function(graph, "body", [dtypes.float32], lambda g, x: [g.Mul(x, g.Mul(x, x))]),
    }
    y = g.op("StatelessWhile", [x], **functions).outputs[0]
    for _ in range(calls):
        [dx] = graphgrad.gradients(y, x)
    y_value, slope = graphgrad.evaluate(graph, [y, dx], {"x": np.float32(1.5)})
    assert y_value == pytest.approx(1.5**27, rel=1e-5) and slope == pytest.approx(27 * 1.5**26, rel=1e-5)


def test_a_loop_states_no_shape_that_it_is_known_not_to_start_from() -> None:
    graph, outputs = looped(
        0,
        [lambda g: g.Placeholder(dtype=dtypes.float32, shape=(2,), name="start")],
        lambda g, i, x: [g.Fill([3], g.Sum(g.Mul(x, x), 0))],
        shapes=[(), (None,)],
    )
    [dx] = graphgrad.gradients(outputs[1], "start")
    assert outputs[1].op["output_shapes"][1] == (None,)
    np.testing.assert_array_equal(graphgrad.evaluate(graph, dx, {"start": np.float32([0.5, 2])}), [1, 1])
