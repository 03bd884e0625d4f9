"""Sums of products over the rounds of a loop are what they are when each round is added by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphgrad
from graphgrad import Tensor
from graphgrad.errors import EvaluationError
from graphgrad.runtime import products
from tests.loops import looped

Array = np.ndarray[Any, Any]


def _plan(rounds: int, body: Any, start: Any, threads: int = 1) -> Any:
    graph, outputs = looped(rounds, [None, lambda g: g.constant(np.asarray(start).tolist())], body)
    return graphgrad.compile(graph, [outputs[1], outputs[2]], ["x"], threads=threads)


def _summed(g: Any, i: Tensor, x: Tensor, total: Tensor) -> list[Tensor]:
    return [g.Mul(x, 0.99), g.AddV2(total, g.MatMul(x, g.Sin(x), transpose_a=True))]


def _expected(x: Array, rounds: int, total: Any) -> Array:
    wide, total = x.astype(np.float64), np.float64(total)
    for _ in range(rounds):
        total = total + wide.T @ np.sin(wide)
        wide = wide * 0.99
    return total


def _noted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each long product has, as they are made."""
    noted: list[int] = []
    multiply = products.LongProduct._multiply

    def note(self: products.LongProduct, slots: list[Any]) -> None:
        if self._rows:
            noted.append(self._rows)
        multiply(self, slots)

    monkeypatch.setattr(products.LongProduct, "_multiply", note)
    return noted


@pytest.mark.parametrize(
    ("rounds", "batch", "long"),
    [(0, 4, []), (1, 4, [4]), (5, 4, [20]), (100, 7, [252, 252, 196]), (9, 128, [256] * 4 + [128]), (3, 129, [])],
)
def test_rows_of_many_rounds_make_one_product(
    rounds: int, batch: int, long: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = _noted(monkeypatch)
    x = np.random.default_rng(0).uniform(-1, 1, (batch, 5)).astype(np.float32)
    plan = _plan(rounds, _summed, np.ones((5, 5), np.float32))
    for scale in (1, 2, 3, 4):
        found = plan.run({"x": x * np.float32(scale)})[1]
        np.testing.assert_allclose(found, _expected(x * np.float32(scale), rounds, np.ones((5, 5))), rtol=2e-5)
    assert noted == long * 4


def test_threads_change_no_number() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (16, 40)).astype(np.float32)
    plans = [_plan(70, _summed, np.zeros((40, 40), np.float32), threads) for threads in (1, 2, 4)]
    one, *others = [plan.run({"x": x})[1] for plan in plans]
    for other in others:
        np.testing.assert_array_equal(other, one)


def test_a_start_of_another_shape_is_broadcast() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (3, 4)).astype(np.float32)
    found = _plan(200, _summed, np.float32(2)).run({"x": x})[1]
    np.testing.assert_allclose(found, _expected(x, 200, 2.0), rtol=2e-5)


def test_shapes_may_change_from_round_to_round() -> None:
    def body(g: Any, i: Tensor, x: Tensor, total: Tensor) -> list[Tensor]:
        return [g.concat([x, x], 0), g.AddN([g.MatMul(x, x, transpose_a=True), total])]

    x = np.random.default_rng(0).uniform(-1, 1, (3, 4)).astype(np.float32)
    found = _plan(8, body, np.zeros((4, 4), np.float32)).run({"x": x})[1]
    np.testing.assert_allclose(found, x.T.astype(np.float64) @ x * 255, rtol=1e-5)


def test_a_sum_that_is_read_meanwhile_is_made_in_each_round(monkeypatch: pytest.MonkeyPatch) -> None:
    def body(g: Any, i: Tensor, x: Tensor, total: Tensor) -> list[Tensor]:
        following = g.AddV2(total, g.MatMul(x, x, transpose_a=True))
        return [g.AddV2(x, g.MatMul(x, following)), following]

    noted = _noted(monkeypatch)
    x = np.random.default_rng(0).uniform(-1e-1, 1e-1, (3, 4)).astype(np.float32)
    found = _plan(3, body, np.zeros((4, 4), np.float32)).run({"x": x})
    total = np.zeros((4, 4))
    for _ in range(3):
        total = total + x.T @ x
        x = x + x @ total
    np.testing.assert_allclose(found[0], x, rtol=1e-5)
    np.testing.assert_allclose(found[1], total, rtol=1e-5)
    assert not noted


def test_what_does_not_fit_names_its_node() -> None:
    x = np.ones((3, 4), np.float32)
    body = lambda g, i, x, total: [x, g.AddN([total, g.MatMul(x, x, transpose_a=True)])]  # noqa: E731
    with pytest.raises(EvaluationError, match=r"AddN node 'AddN' failed on .float32 .2, 2., float32 .4, 4.."):
        _plan(3, body, np.zeros((2, 2), np.float32)).run({"x": x})


def test_an_operand_that_stays_is_turned_once_a_run() -> None:
    """The feed is copied to the same place in every run, with other numbers."""
    weights = np.random.default_rng(0).uniform(-1, 1, (100, 100)).astype(np.float32)
    graph, outputs = looped(
        4,
        [lambda g: g.constant(np.ones((2, 100)).tolist()), None],
        lambda g, i, h, w: [g.Tanh(g.MatMul(h, w, transpose_b=True)), w],
    )
    plan = graphgrad.compile(graph, outputs[1], ["x"])
    for scale in np.float32([1, 0.5, 0.25, 2]):
        h = np.ones((2, 100), np.float32)
        for _ in range(4):
            h = np.tanh(h @ (weights * scale).T)
        np.testing.assert_allclose(plan.run({"x": weights * scale})[0], h, rtol=1e-4, atol=1e-4)
