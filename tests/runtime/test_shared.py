"""What is computed twice in a graph is computed once in a plan, and nothing else is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphgrad
from graphgrad import Graph, Tensor, dtypes
from tests.loops import looped

FLOAT = dtypes.float32
X = np.array([[0.5, -1.0], [2.0, 0.25]], np.float32)


def _graph() -> tuple[Any, Tensor]:
    graph = Graph()
    return graph.build, graph.build.Placeholder(dtype=FLOAT, shape=(2, 2), name="x")


def _types(plan: Any) -> list[str]:
    return [step.op.type for step in plan.steps]


def test_equal_steps_on_equal_constants_are_one() -> None:
    g, x = _graph()
    sums = [g.Sum(g.Exp(x), [1]) for _ in range(3)]
    out = g.AddN(sums)
    plan = graphgrad.compile(g.graph, [out, *sums], ["x"])
    assert _types(plan) == ["Exp", "Sum", "AddN"]
    found = plan.run({"x": X})
    np.testing.assert_allclose(found[0], 3 * np.exp(X).sum(1), rtol=1e-6)
    np.testing.assert_array_equal(found[1], found[3])


@pytest.mark.parametrize(
    "pair",
    [
        lambda g, x: [g.Sum(x, [1]), g.Sum(x, [0])],
        lambda g, x: [g.Sum(x, [1]), g.Sum(x, [1], keep_dims=True)],
        lambda g, x: [g.MatMul(x, x, transpose_a=True), g.MatMul(x, x)],
        lambda g, x: [g.Sub(x, g.Exp(x)), g.Sub(g.Exp(x), x)],
        lambda g, x: [g.Cast(x, DstT=dtypes.int32), g.Cast(x, DstT=dtypes.int64)],
        lambda g, x: [g.RandomUniform([3], dtype=FLOAT), g.RandomUniform([3], dtype=FLOAT)],
    ],
)
def test_what_differs_stays_apart(pair: Any) -> None:
    g, x = _graph()
    one, other = pair(g, x)
    plan = graphgrad.compile(g.graph, [one, other], ["x"])
    assert _types(plan).count(one.op.type) == 2
    first, second = plan.run({"x": X})
    assert first.dtype != second.dtype or not np.array_equal(first, second)


def test_what_control_inputs_tie_to_a_later_time_is_computed_again() -> None:
    g, x = _graph()
    first = g.Exp(x)
    with g.control_dependencies([first]):
        again = g.Exp(x)
    plan = graphgrad.compile(g.graph, [first, again], ["x"])
    assert _types(plan) == ["Exp", "Exp"]


def test_a_fed_tensor_keeps_its_feed() -> None:
    g, x = _graph()
    one, other = g.Exp(x), g.Exp(x)
    plan = graphgrad.compile(g.graph, [g.AddV2(one, other)], ["x", one])
    np.testing.assert_allclose(plan.run({"x": X, one: 0 * X})[0], np.exp(X), rtol=1e-6)


def test_rounds_of_a_loop_share_within_one_round() -> None:
    def body(g: Any, i: Tensor, x: Tensor) -> list[Tensor]:
        return [g.Mul(g.Sin(x), g.AddV2(g.Sin(x), 1.0))]

    graph, outputs = looped(3, [None], body)
    expected = X.astype(np.float64)
    for _ in range(3):
        expected = np.sin(expected) * (np.sin(expected) + 1)
    np.testing.assert_allclose(graphgrad.evaluate(graph, outputs[1], {"x": X}), expected, rtol=1e-5)
