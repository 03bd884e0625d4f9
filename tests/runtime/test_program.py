"""What a plan computes from its third run on, with memory kept in place and chains tiled, is what it computed before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphgrad import compile as compile_graph
from graphgrad import dtypes, opdefs, registry
from graphgrad.errors import EvaluationError
from graphgrad.families import FAMILY_OF
from graphgrad.graph import Graph
from graphgrad.runtime import scalars, tiles
from graphgrad.runtime.execution import MOST_PROGRAMS, Plan
from graphgrad.runtime.plan import evaluate

FLOAT = dtypes.float32


def placeholder(graph: Graph, name: str, *shape: int | None) -> Any:
    return graph.build.Placeholder(dtype=FLOAT, shape=shape, name=name)


def numbers(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(7).normal(size=shape).astype(np.float32)


def settled(plan: Plan, feeds: dict[str, Any]) -> list[Any]:
    """The results of the first run, checked against three more."""
    first = plan.run(feeds)
    for _ in range(3):
        for a, b in zip(first, plan.run(feeds), strict=True):
            np.testing.assert_array_equal(a, b)
    return first


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "LARGE", 2)
    monkeypatch.setattr(tiles, "TILE", 5)
    monkeypatch.setattr(tiles, "WORTH_A_THREAD", 40)
    monkeypatch.setattr(tiles, "WIDE", 10)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("other", [(7, 4), (4,), (1, 4), (7, 1), (), (1, 1)])
def test_tiles_of_chains_that_broadcast(small_tiles: None, other: tuple[int, ...], threads: int) -> None:
    graph = Graph()
    g = graph.build
    x, y = placeholder(graph, "x", None, 4), placeholder(graph, "y", *other)
    chain = g.Mul(g.Tanh(g.AddV2(g.Mul(x, y), x)), g.SquaredDifference(x, y))
    total, turned = g.Sum(chain, [0]), g.Mul(g.Transpose(chain, [1, 0]), 2.0)
    feeds = {"x": numbers(7, 4), "y": numbers(*other)}
    plan = compile_graph(graph, [chain, total, turned], feeds, threads=threads)
    a, b = feeds["x"], feeds["y"]
    expected = np.tanh(a * b + a) * (a - b) ** 2
    for found, wanted in zip(settled(plan, feeds), [expected, expected.sum(0), expected.T * 2], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_memory_shown_in_another_shape_is_not_handed_out_again() -> None:
    """numpy multiplies two transposed views into a transposed array, which Reshape then has to copy."""
    graph = Graph()
    g = graph.build
    x = placeholder(graph, "x", 2, 3)
    view = g.Transpose(x, [1, 0])
    shown = [g.Reshape(g.Mul(view, number), [-1]) for number in (2.0, 3.0)]
    plan = compile_graph(graph, [g.AddV2(*shown)], ["x"])
    (found,) = settled(plan, {"x": numbers(2, 3)})
    np.testing.assert_allclose(found, 5 * numbers(2, 3).T.reshape(-1), rtol=1e-6)


def test_results_are_the_callers() -> None:
    """A later run writes into none of the arrays that were handed out, constants and views included."""
    graph = Graph()
    g = graph.build
    x = placeholder(graph, "x", 3)
    square = g.Square(x)
    fetches = [square, g.Reshape(square, [3, 1]), g.Exp(g.Neg(square)), g.constant([1.0, 2.0])]
    plan = compile_graph(graph, fetches, ["x"])
    runs = [plan.run({"x": np.full(3, i, np.float32)}) for i in range(6)]
    for i, results in enumerate(runs):
        np.testing.assert_array_equal(results[0], np.full(3, i * i))
        np.testing.assert_array_equal(results[1], np.full((3, 1), i * i))
        np.testing.assert_allclose(results[2], np.exp(np.full(3, -i * i, np.float32)), rtol=1e-6)
        np.testing.assert_array_equal(results[3], [1, 2])
        if results[3].flags.writeable:
            results[3][...] = 7  # what the caller does with it is no matter
    np.testing.assert_array_equal(plan.run({"x": np.ones(3, np.float32)})[3], [1, 2])


def test_a_variable_keeps_what_it_was_assigned() -> None:
    graph = Graph()
    g = graph.build
    x = placeholder(graph, "x", 3)
    handle = g.VarHandleOp(dtype=FLOAT, shape=(3,), shared_name="v")
    assign = g.op("AssignVariableOp", handle, g.Mul(g.Square(x), 2.0))
    with g.control_dependencies([assign]):
        value = g.ReadVariableOp(handle, dtype=FLOAT)
    plan = compile_graph(graph, [value], ["x"])
    runs = [plan.run({"x": np.full(3, i, np.float32)})[0] for i in range(5)]
    for i, result in enumerate(runs):
        np.testing.assert_array_equal(result, np.full(3, 2 * i * i))


def test_feeds_of_other_shapes() -> None:
    graph = Graph()
    g = graph.build
    x = placeholder(graph, "x", None, 2)
    plan = compile_graph(graph, [g.Shape(x), g.Sum(g.Exp(x), [0, 1]), g.Fill(g.Shape(x), 1.5)], ["x"])
    for _ in range(3):
        for rows in range(MOST_PROGRAMS + 3):
            values = numbers(rows, 2)
            shape, total, filled = plan.run({"x": values})
            assert shape.tolist() == [rows, 2] and filled.shape == (rows, 2)
            np.testing.assert_allclose(total, np.exp(values).sum(), rtol=1e-5)


def test_feeds_are_looked_at_in_every_run() -> None:
    graph = Graph()
    x = placeholder(graph, "x", None, 2)
    plan = compile_graph(graph, [graph.build.Neg(x)], ["x"])
    for _ in range(3):
        for value in (numbers(3, 2), numbers(4, 2), np.float64(numbers(4, 2)), [[1, 2]]):
            (found,) = plan.run({"x": value})
            assert found.dtype == np.float32
            np.testing.assert_array_equal(found, -np.float32(value))
        for wrong in (numbers(3, 3), np.ones((4, 2), bool), numbers(2)):
            with pytest.raises(ValueError, match="feed 'x:0'"):
                plan.run({"x": wrong})


def test_values_that_decide_shapes_are_looked_at_in_every_run() -> None:
    graph = Graph()
    g = graph.build
    x = g.Placeholder(dtype=dtypes.int32, shape=(4,), name="x")
    places = g.Where(g.Greater(x, 0))
    doubled = g.Mul(g.Fill(g.Shape(places, out_type=dtypes.int32), 1.0), 2.0)
    plan = compile_graph(graph, [places, doubled], ["x"])
    for values in ([1, 0, 1, 0], [1, 0, 1, 0], [1, 0, 1, 0], [0, 0, 0, 5], [1, 2, 3, 4]):
        found, twos = plan.run({"x": np.array(values, np.int32)})
        assert found[:, 0].tolist() == [i for i, v in enumerate(values) if v > 0]
        assert twos.shape == found.shape and (twos == 2).all()


def test_a_failure_names_its_node_in_every_run() -> None:
    graph = Graph()
    g = graph.build
    x = g.Placeholder(dtype=dtypes.int32, shape=(2,), name="x")
    plan = compile_graph(graph, [g.FloorDiv(g.Add(x, 1), x, name="quotient")], ["x"])
    for _ in range(3):
        plan.run({"x": np.array([1, 2], np.int32)})
    for _ in range(2):
        with pytest.raises(
            EvaluationError, match=r"FloorDiv node 'quotient' failed on \(int32 \[2\], int32 \[2\]\): integer"
        ):
            plan.run({"x": np.array([1, 0], np.int32)})
    assert plan.run({"x": np.array([1, 2], np.int32)})[0].tolist() == [2, 1]


def test_random_numbers_go_on() -> None:
    graph = Graph()
    g = graph.build
    plan = compile_graph(graph, [g.Mul(g.RandomUniform([3], dtype=FLOAT, seed=1, seed2=2), 2.0)], [])
    runs = [plan.run()[0].tolist() for _ in range(5)]
    assert len({tuple(r) for r in runs}) == 5


@pytest.mark.parametrize("most", [3, 5, 500])
@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.float64], ids=str)
def test_rows_of_scalars(dtype: dtypes.DType, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one function over numbers, cut anywhere; `settled` holds them against the steps one by one, bit for bit."""
    monkeypatch.setattr(scalars, "MOST", most)
    monkeypatch.setattr(scalars, "FEWEST", 2)
    graph = Graph()
    g = graph.build
    x, y = (g.Placeholder(dtype=dtype, shape=(), name=name) for name in "xy")
    h = g.RealDiv(g.Sub(g.Mul(g.Sin(x), 1.1), g.Neg(y)), g.AddV2(g.Exp(x), 0.5))
    row = g.Reshape(g.Cos(h), [1])  # the next row reads a number through another shape of it
    back = g.Mul(g.Reshape(g.Mul(row, [2.0]), []), g.Reshape(row, []))
    one, other = g.Tanh(g.AddN([h, x, y, back])), g.Sqrt(g.Square(g.Sigmoid(back)))
    gradient = g.Mul(g.TanhGrad(one, h), g.SigmoidGrad(other, g.Pow(x, 3.0)))
    chain = gradient
    for _ in range(5):
        chain = g.Minimum(g.Mul(chain, one), 100.0)
    fetches = [h, one, chain, g.Mul(g.Fill([3], gradient), 2.0)]
    plan = compile_graph(graph, fetches, ["x", "y"])
    for a in (0.3, -1.7, 0.3):
        found = settled(plan, {"x": a, "y": 0.4})
        assert found[0] == pytest.approx((np.sin(a) * 1.1 + 0.4) / (np.exp(a) + 0.5), rel=1e-5)
        assert all(value.dtype == found[0].dtype for value in found) and found[3].shape == (3,)
    (program,) = plan._programs.values()
    assert program is not None and any(getattr(call, "__name__", "") == "row" for call in program.calls)
    zero = settled(plan, {"x": float("inf"), "y": 0.0})
    assert np.isnan(zero[0])


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    graph = Graph()
    g = graph.build
    x = placeholder(graph, "x", 300, 200)
    y = g.Tanh(g.Mul(g.Sin(x), g.Cos(x)))
    feeds = {"x": numbers(300, 200)}
    by_threads = []
    for threads in (1, 2, 4):
        plan = compile_graph(graph, [y, g.Mean(y, [0, 1])], feeds, threads=threads)
        by_threads.append([plan.run(feeds) for _ in range(3)][-1])
    for results in by_threads[1:]:
        for a, b in zip(by_threads[0], results, strict=True):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(by_threads[0][0], evaluate(graph, y, feeds), rtol=0)


def _takes_floats(op_type: str) -> bool:
    """Whether an element-wise op can be called with one or two tensors of float32 and nothing else."""
    signature = opdefs.signature(op_type)
    if signature is None or len(signature.inputs) not in (1, 2):
        return False
    types = [arg.type_attr for arg in signature.inputs]
    needed = {name for name, attr in signature.attrs.items() if attr.default is opdefs.REQUIRED}
    return needed <= set(types) and all(t and FLOAT in (signature.attrs[t].allowed or [FLOAT]) for t in types)


ELEMENTWISE = [t for t in FAMILY_OF if registry.kernel_of(t) and registry.is_elementwise(t) and _takes_floats(t)]


@pytest.mark.parametrize("op_type", ELEMENTWISE)
def test_tiles_of_every_element_wise_op(small_tiles: None, op_type: str) -> None:
    """Alone and in a chain the kernel gives on tiles, written into their places, what it gives on whole arrays."""
    graph = Graph()
    inputs = [placeholder(graph, name, 7, 4) for name in "xy"[: len(opdefs.signature(op_type).inputs)]]
    alone = graph.build.op(op_type, *inputs).outputs[0]
    chained = graph.build.op(op_type, *[graph.build.AddV2(x, x) for x in inputs]).outputs[0]
    fetches = [graph.build.Identity(t) for t in (alone, chained)]  # what is fetched itself has no place of its own
    feeds = {t.op.name: np.abs(numbers(7, 4)) / 4 + i for i, t in enumerate(inputs)}
    settled(compile_graph(graph, fetches, feeds), feeds)


def test_kernels_lose_the_layers_for_other_dtypes_and_keep_their_checks() -> None:
    graph = Graph()
    g = graph.build
    real, complex_ = (g.Placeholder(dtype=d, shape=(2,)) for d in (dtypes.float32, dtypes.complex64))
    products = [g.Mul(real, real), g.Mul(complex_, complex_)]
    runs = [step.run for step in compile_graph(graph, products, [real, complex_]).steps]
    assert [run is np.multiply for run in runs] == [True, False]
    plan = compile_graph(graph, g.TanhGrad(real, g.Placeholder(dtype=dtypes.float32, name="dy")), [real, "dy"])
    with pytest.raises(EvaluationError, match="as many elements"):
        plan.run({real: np.ones(2), "dy": np.ones(3)})
