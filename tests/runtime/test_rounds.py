"""Loops keep memory from round to round: what somebody still reads is never written into."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import graphgrad
from graphgrad import Tensor, dtypes
from graphgrad.errors import EvaluationError
from tests.loops import looped

FLOAT = dtypes.float32
LARGE = (128, 128)


def test_what_is_kept_in_a_list_is_not_overwritten() -> None:
    def body(g: Any, i: Tensor, x: Tensor, kept: Tensor) -> list[Tensor]:
        following = g.AddV2(x, x)
        return [following, g.TensorListPushBack(kept, g.Mul(following, following))]

    graph, outputs = looped(5, [None, lambda g: g.EmptyTensorList(-1, -1, element_dtype=FLOAT)], body)
    stacked = graph.build.TensorListStack(outputs[2], list(LARGE), element_dtype=FLOAT)
    plan = graphgrad.compile(graph, [stacked, outputs[1]], ["x"])
    x = np.random.default_rng(0).uniform(-1, 1, LARGE).astype(np.float32)
    results = [plan.run({"x": x * k}) for k in (1, 2, 3)]
    for k, (rows, last) in zip((1, 2, 3), results, strict=True):
        np.testing.assert_array_equal(rows, [(x * k * 2**n) ** 2 for n in range(1, 6)])
        np.testing.assert_array_equal(last, x * k * 32)


def test_shapes_may_change_from_round_to_round() -> None:
    def body(g: Any, i: Tensor, x: Tensor, total: Tensor) -> list[Tensor]:
        grown = g.concat([x, g.AddV2(x, 1.0)], 0)
        return [grown, g.AddV2(total, g.Sum(g.Mul(grown, grown), [0, 1]))]

    graph, outputs = looped(4, [None, lambda g: g.constant(0.0)], body)
    x = np.ones(LARGE, np.float32)
    expected, grown = 0.0, x
    for _ in range(4):
        grown = np.concatenate([grown, grown + 1])
        expected += float((grown * grown).sum())
    found = graphgrad.evaluate(graph, [outputs[1], outputs[2]], {"x": x})
    np.testing.assert_array_equal(found[0], grown)
    assert found[1] == pytest.approx(expected)


def test_threads_may_run_a_loop_at_once() -> None:
    def body(g: Any, i: Tensor, x: Tensor) -> list[Tensor]:
        return [g.AddV2(g.Mul(x, 0.5), g.Sin(x))]

    graph, outputs = looped(20, [None], body)
    plan = graphgrad.compile(graph, outputs[1], ["x"])
    inputs = [np.full(LARGE, k, np.float32) for k in range(8)]
    alone = [plan.run({"x": x})[0] for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            together = list(pool.map(lambda x: plan.run({"x": x})[0], inputs))
            np.testing.assert_array_equal(together, alone)


def test_a_while_that_goes_on_is_stopped() -> None:
    graph, outputs = looped(1 << 30, [None], lambda g, i, x: [x])
    with pytest.raises(EvaluationError, match="StatelessWhile node 'StatelessWhile' was stopped after 7 iterations"):
        graphgrad.evaluate(graph, outputs[1], {"x": np.float32(0)}, max_iterations=7)


def popping(rounds: int, *, reads_the_list: bool) -> tuple[graphgrad.Graph, list[Tensor]]:
    """A While that pops three of five rows and sums them, and perhaps asks for the list beside."""

    def body(g: Any, i: Tensor, x: Tensor, rows: Tensor) -> list[Tensor]:
        shorter, row = g.TensorListPopBack(rows, [2], element_dtype=FLOAT)
        length = g.cast(g.TensorListLength(rows), FLOAT) if reads_the_list else 0.0
        return [g.AddV2(g.AddV2(x, row), length), shorter]

    given = [[float(2 * i), float(2 * i + 1)] for i in range(5)]
    return looped(rounds, [None, lambda g: g.TensorListFromTensor(g.constant(given), [2])], body)


@pytest.mark.parametrize("reads_the_list", [False, True])
def test_a_list_that_a_loop_pops_from_is_as_long_as_it_should_be(reads_the_list: bool) -> None:
    graph, outputs = popping(3, reads_the_list=reads_the_list)
    rest = graph.build.TensorListStack(outputs[2], [2], element_dtype=FLOAT)
    rows = graphgrad.evaluate(graph, [outputs[1], rest], {"x": np.zeros(2, np.float32)})
    np.testing.assert_array_equal(rows[0], np.array([18, 21]) + (12 if reads_the_list else 0))
    np.testing.assert_array_equal(rows[1], [[0, 1], [2, 3]])


def test_a_loop_that_pops_too_often_says_so() -> None:
    graph, outputs = popping(6, reads_the_list=False)
    with pytest.raises(
        EvaluationError, match=r"TensorListPopBack node 'TensorListPopBack' failed .* the list is empty"
    ):
        graphgrad.evaluate(graph, outputs[1], {"x": np.zeros(2, np.float32)})


def test_what_is_pushed_must_belong_to_the_list() -> None:
    def body(g: Any, i: Tensor, x: Tensor, kept: Tensor) -> list[Tensor]:
        return [x, g.TensorListPushBack(kept, x)]

    for shape, most, reason in ((3, -1, "do not agree"), (2, 1, "the list is full")):
        start = [None, lambda g, most=most: g.EmptyTensorList([2], most, element_dtype=FLOAT)]
        graph, outputs = looped(2, start, body)
        with pytest.raises(EvaluationError, match=f"TensorListPushBack.*{reason}"):
            graphgrad.evaluate(graph, outputs[2], {"x": np.zeros(shape, np.float32)})


def test_a_variable_that_is_no_list_is_refused() -> None:
    def body(g: Any, i: Tensor, x: Tensor, kept: Tensor) -> list[Tensor]:
        return [x, g.TensorListPushBack(kept, x)]

    graph, outputs = looped(2, [None, lambda g: g.OptionalNone()], body)
    with pytest.raises(EvaluationError, match=r"TensorListPushBack node .* the variant holds"):
        graphgrad.evaluate(graph, outputs[2], {"x": np.zeros(2, np.float32)})
