"""Kernels on several threads give the numbers of one, and BLAS gets its threads back."""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np
import pytest

from graphgrad import Graph, compile, dtypes
from graphgrad.errors import EvaluationError
from graphgrad.kernels import _threads
from graphgrad.kernels.conv import correlate, correlate_filter_gradient, correlate_input_gradient
from graphgrad.kernels.pooling import max_pool, max_pool_grad
from graphgrad.kernels.windows import windows
from graphgrad.runtime import program

RANDOM = np.random.default_rng(0)


def array(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


PRODUCTS = [
    (array(512, 256), array(256, 300)),
    (array(200, 256), array(256, 1000)),
    (array(256, 512).T, array(700, 256).T),
    (array(12, 256, 256), array(12, 256, 256)),
    (array(3, 5), array(5, 2)),
]


@pytest.mark.parametrize(("x", "y"), PRODUCTS, ids=lambda a: "x".join(map(str, a.shape)))
def test_products_are_cut_up_alike_on_any_number_of_threads(x: np.ndarray, y: np.ndarray) -> None:
    results = []
    for count in (1, 2, 5):
        with _threads.at_most(count):
            results.append(_threads.matmul(x, y))
    assert np.array_equal(results[0], results[1]) and np.array_equal(results[0], results[2])
    np.testing.assert_allclose(results[0], np.float64(x) @ np.float64(y), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("unpacked", [True, False])
@pytest.mark.parametrize(("rows", "inner", "columns"), [(4, 256, 1024), (32, 192, 513), (2, 3, 4), (33, 192, 512)])
def test_products_of_few_rows_are_the_same_by_columns(
    rows: int, inner: int, columns: int, unpacked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(_threads._blas.__dict__, "reads_small_ones_unpacked", unpacked)
    x, y, out = array(rows, inner), array(inner, columns), np.empty((rows, columns), np.float32)
    multiply = _threads.product(x.shape, y.shape, x.dtype)
    assert (multiply is not np.matmul) == (unpacked and rows in (4, 32))
    assert multiply(x, y, out) is out
    np.testing.assert_allclose(out, x @ y, 1e-4, 1e-4)
    np.testing.assert_array_equal(multiply(x, y), out)


@pytest.mark.parametrize("groups", [1, 2, 16], ids=["plain", "grouped", "depthwise"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("batch", [1, 6])
def test_convolutions_are_the_same_on_any_number_of_threads(groups: int, stride: int, batch: int) -> None:
    w = windows((40, 44), (3, 3), (stride, stride), (1, 1), "SAME")
    x, filters = array(batch, 40, 44, 16), array(3, 3, 16 // groups, 32)
    dy = array(batch, *w.outputs, 32)
    results = []
    for count in (1, 3):
        with _threads.at_most(count):
            y = correlate(x, filters, w)
            dx = correlate_input_gradient(dy, filters, w, 16)
            results.append((y, dx, correlate_filter_gradient(x, dy, w, 16 // groups)))
    for one, three in zip(*results, strict=True):
        assert np.array_equal(one, three)
    y, dx, dfilters = (np.float64(a) for a in results[0])
    # The three are adjoint to each other: <y, dy> is <x, dx> and <filters, dfilters>.
    product = np.vdot(y, dy)
    np.testing.assert_allclose([np.vdot(x, dx), np.vdot(filters, dfilters)], product, rtol=1e-3, atol=1e-1)


def test_pools_are_the_same_on_any_number_of_threads() -> None:
    x = array(9, 64, 64, 16)
    results = []
    for count in (1, 3):
        with _threads.at_most(count):
            y = max_pool(x, (1, 2, 2, 1), (1, 2, 2, 1), "VALID", "NHWC")
            results.append((y, max_pool_grad(x, y, y, (1, 2, 2, 1), (1, 2, 2, 1), "VALID", "NHWC")))
    for one, three in zip(*results, strict=True):
        assert np.array_equal(one, three)
    assert np.array_equal(results[0][0], x.reshape(9, 32, 2, 32, 2, 16).max((2, 4)))


def test_every_call_is_made_once_and_nothing_is_cut_up_inside() -> None:
    made, inside = [], []
    with _threads.at_most(4):
        _threads.spread([lambda i=i: (made.append(i), inside.append(_threads.threads())) for i in range(50)])
        assert _threads.threads() == 4
    assert sorted(made) == list(range(50))
    assert set(inside) == {1}
    assert _threads.threads() == 1


def test_what_a_call_raises_comes_out() -> None:
    def fail() -> None:
        raise ValueError("no")

    with _threads.at_most(3), pytest.raises(ValueError, match="no"):
        _threads.spread([fail] * 5)


def test_threads_of_blas_come_back_with_the_last_that_held_them() -> None:
    blas = _threads._blas
    if blas._functions is None:
        pytest.skip("numpy was built with another BLAS than OpenBLAS")
    get = blas._functions[0]
    before = get()
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with _threads.at_most(2):
            entered.set()
            leave.wait()

    thread = threading.Thread(target=other)
    with _threads.at_most(2):
        thread.start()
        entered.wait()
    assert get() == 1
    leave.set()
    thread.join()
    assert get() == before


def _wide_network() -> Any:
    """Convolutions next to each other that do not depend on each other, behind and before some that do."""
    graph = Graph()
    g = graph.build
    x = g.Placeholder(dtype=dtypes.float32, shape=(4, 16, 16, 16), name="x")
    filters = g.constant((RANDOM.normal(size=(3, 3, 16, 16)) / 12).tolist(), name="filters")

    def conv(x: Any, name: str) -> Any:
        return g.Conv2D(x, filters, strides=(1, 1, 1, 1), padding="SAME", name=name)

    first = conv(x, "first")
    middle = [conv(g.Reverse(first, [False, k % 2 == 1, k > 1, False]), f"middle{k}") for k in range(4)]
    with g.control_dependencies(middle):
        last = conv(middle[0], "last")
    return graph, [*middle[1:3], last, g.Sum(middle[3], [0])]


def _bundles(plan: Any) -> list[Any]:
    """The calls of the plan's program that run others side by side."""
    return [call for call in next(iter(plan._programs.values())).calls if hasattr(call, "frees")]


def test_steps_side_by_side_change_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "FEWEST", 2)
    graph, fetches = _wide_network()
    x = RANDOM.uniform(-1, 1, (4, 16, 16, 16)).astype(np.float32)
    results = []
    for threads in (1, 2, 3):
        plan = compile(graph, fetches, ["x"], threads=threads)
        for scale in (1, 2, 3, 4):
            found = plan.run({"x": x * np.float32(scale)})
        results.append(found)
        assert bool(_bundles(plan)) is (threads > 1)
    for found in results[1:]:
        for one, other in zip(found, results[0], strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_step_that_fails_beside_others_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "FEWEST", 2)
    graph, fetches = _wide_network()
    plan = compile(graph, fetches, ["x"], threads=2)
    for _ in range(3):
        plan.run({"x": np.ones((4, 16, 16, 16), np.float32)})
    bundle = _bundles(plan)[0]
    step = bundle.calls[1].args[1]

    def fail() -> None:
        raise ValueError("out of order")

    bundle.calls[1] = functools.partial(bundle._make, fail, step)
    with pytest.raises(EvaluationError, match=rf"Conv2D node {step.op.name!r} failed on .*out of order"):
        plan.run({"x": np.ones((4, 16, 16, 16), np.float32)})
