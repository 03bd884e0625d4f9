"""What `compile` and `evaluate` promise: what is run and in which order, what is refused beforehand, what failures say."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphgrad
from graphgrad import dtypes
from graphgrad.errors import ArgumentError, EvaluationError
from graphgrad.formats import arrays
from graphgrad.graph import Graph
from graphgrad.runtime.plan import OUTSIDE
from graphgrad.tensors import IndexedSlices

FLOAT = dtypes.float32


@pytest.fixture
def graph() -> Graph:
    graph = Graph()
    graph.message.versions.producer = 1882
    return graph


def placeholder(graph: Graph, name: str, *shape: int | None, dtype: Any = FLOAT) -> Any:
    return graph.build.Placeholder(dtype=dtype, shape=shape, name=name)


def test_any_tensor_can_be_fed_and_fetched(graph: Graph) -> None:
    """A fed tensor cuts off what it would have been computed from, placeholders without a feed among it."""
    g = graph.build
    middle = g.Exp(placeholder(graph, "x", 2), name="middle")
    first, second = g.Split(0, middle, num_split=2, name="halves")
    total = g.AddV2(first, second, name="total")
    assert graphgrad.evaluate(graph, "total", {"middle": [1.0, 2.0]}) == 3
    assert graphgrad.evaluate(graph, total, {"halves:0": [5.0], second: [1.0]}) == 6
    assert graphgrad.evaluate(graph, [total, "halves:1", "middle"], {middle: [1.0, 2.0]})[1].tolist() == [2]
    assert graphgrad.evaluate(graph, "middle", {"middle": [7.0, 8.0]}).tolist() == [7, 8]
    assert graphgrad.evaluate(graph, second, {"x": [0.0, 0.0], "halves:0": [9.0]}) == 1


def test_indexed_slices_can_be_fed_and_fetched(graph: Graph) -> None:
    g = graph.build
    table = placeholder(graph, "table", 4, 2)
    (slices,) = graphgrad.gradients(g.GatherV2(table, g.constant([1, 3]), 0), table)
    assert isinstance(slices, IndexedSlices)
    dense = g.dense(slices)
    found = graphgrad.evaluate(graph, slices, {table: np.zeros((4, 2))})
    assert (found.values.tolist(), found.indices.tolist(), found.dense_shape.tolist()) == ([[1, 1]] * 2, [1, 3], [4, 2])
    rows = np.array([[1, 2], [3, 4]], np.float32)
    for value in (IndexedSlices(rows, np.array([0, 0]), np.array([3, 2])), (rows, np.array([0, 0]), np.array([3, 2]))):
        assert graphgrad.evaluate(graph, dense, {slices: value}).tolist() == [[4, 6], [0, 0], [0, 0]]
    plan = graphgrad.compile(graph, dense, [slices])
    assert plan.run({slices: found})[0].tolist() == [[0, 0], [1, 1], [0, 0], [1, 1]]
    with pytest.raises(ArgumentError, match="IndexedSlices of 3 parts"):
        plan.run({slices: rows})


def test_only_what_the_fetches_need_is_run(graph: Graph) -> None:
    g = graph.build
    x = placeholder(graph, "x", 2)
    g.PyFunc([x], Tout=[FLOAT], token="t")
    plan = graphgrad.compile(graph, g.Neg(x), [x])
    assert [step.op.type for step in plan.steps] == ["Neg"]


def test_what_is_constant_is_computed_once(graph: Graph) -> None:
    """From the third run on steps that depend on constants and shapes alone are not taken."""
    g = graph.build
    x = placeholder(graph, "x", None)
    y = g.AddV2(x, g.Exp(g.Neg(g.constant([1.0, 2.0]))))
    scaled = g.Mul(y, g.Cast(g.Size(x), DstT=FLOAT))
    plan = graphgrad.compile(graph, scaled, [x])
    values = np.array([3.0, 4.0], np.float32)
    results = [plan.run({x: values})[0] for _ in range(4)]
    (program,) = plan._programs.values()
    assert program is not None
    assert {step.op.type for step in program.steps} <= {"AddV2", "Mul"}
    for found in results:
        np.testing.assert_allclose(found, (values + np.exp([-1.0, -2.0])) * 2, rtol=1e-6)


def test_control_dependencies_hold(graph: Graph) -> None:
    """A read that waits for an assignment sees it, one that the assignment waits for does not."""
    g = graph.build
    v = g.VarHandleOp(dtype=FLOAT, shape=(), shared_name="v")
    before = g.ReadVariableOp(v, dtype=FLOAT)
    with g.control_dependencies([before]):
        assign = g.AssignVariableOp(v, g.constant(5.0), dtype=FLOAT)
    with g.control_dependencies([assign]):
        after = g.ReadVariableOp(v, dtype=FLOAT)
        chain = g.NoOp(name="barrier")
    with g.control_dependencies([chain]):
        third = g.Identity(g.ReadVariableOp(v, dtype=FLOAT))
    for fetches in ([after, before, third], [before, third, after]):
        found = graphgrad.evaluate(graph, fetches, variables={"v": np.float32(1.0)})
        values = dict(zip([f.name for f in fetches], map(float, found), strict=True))
        assert values == {before.name: 1, after.name: 5, third.name: 5}


def test_a_failed_assertion_in_a_control_dependency_stops_the_run(graph: Graph) -> None:
    g = graph.build
    x = placeholder(graph, "x")
    check = g.Assert(g.Greater(x, 0.0), [x], name="positive")
    with g.control_dependencies([check]):
        y = g.Sqrt(x)
    assert graphgrad.evaluate(graph, y, {x: 4.0}) == 2
    with pytest.raises(EvaluationError, match=r"Assert node 'positive' failed on \(bool \[\], float32 \[\]\)"):
        graphgrad.evaluate(graph, y, {x: -4.0})


def test_operations_can_be_fetched(graph: Graph) -> None:
    g = graph.build
    v = g.VarHandleOp(dtype=FLOAT, shape=(), shared_name="v")
    g.AssignVariableOp(v, g.constant(2.0), dtype=FLOAT, name="assign")
    g.ReadVariableOp(v, dtype=FLOAT, name="value")
    assert graphgrad.evaluate(graph, "value", run_first=["assign"]) == 2
    assert graphgrad.evaluate(graph, ["assign"]) == [None]


def test_all_missing_kernels_are_told_at_once_before_anything_is_run(graph: Graph) -> None:
    g = graph.build
    x = placeholder(graph, "x", 2)
    printed = g.Print(x, [x], message="ran")
    (a,), (b,) = (
        g.Batch([t], num_batch_threads=1, max_batch_size=1, batch_timeout_micros=1, grad_timeout_micros=1)[0]
        for t in (printed, x)
    )
    c = g.Unbatch(b, g.constant([[0]], dtypes.int64), g.constant(0, dtypes.int64), timeout_micros=1)
    with pytest.raises(EvaluationError) as raised:
        graphgrad.evaluate(graph, [a, c], {x: [1, 2]})
    assert str(raised.value) == "no kernel for: Batch (node 'Batch' and 1 more), Unbatch (node 'Unbatch')"


def test_missing_feeds_are_named(graph: Graph) -> None:
    y = graph.build.AddV2(placeholder(graph, "x", 2, None), placeholder(graph, "w"))
    with pytest.raises(EvaluationError, match=r"not fed: 'x' \(float32 \[2,\?\]\), 'w' \(float32 \[\]\)"):
        graphgrad.evaluate(graph, y)
    with pytest.raises(ArgumentError, match="feed 'w:0' is missing"):
        graphgrad.compile(graph, y, ["x", "w"]).run({"x": [[1.0], [2.0]]})
    with pytest.raises(ArgumentError, match="'w:0' is fed, and the plan was not compiled for it"):
        graphgrad.compile(graph, y, ["x", "AddV2"]).run({"x": [[1.0], [2.0]], "AddV2:0": [[1.0], [2.0]], "w": 1.0})


@pytest.mark.parametrize(
    ("dtype", "shape", "value", "message"),
    [
        (FLOAT, (2,), [1.0, 2.0, 3.0], r"feed 'x:0' has shape \[3\], and the graph wants \[2\]"),
        (FLOAT, (None, 2), [1.0, 2.0], r"feed 'x:0' has shape \[2\], and the graph wants \[\?,2\]"),
        (FLOAT, (2,), ["a", "b"], "feed 'x:0' is <U1, and the graph wants float32"),
        (FLOAT, (2,), [1j, 2j], "feed 'x:0' is complex128, and the graph wants float32"),
        (FLOAT, (2,), [True, False], "feed 'x:0' is bool, and the graph wants float32"),
        (dtypes.int32, (2,), [1.5, 2.0], "feed 'x:0' is float64, and the graph wants int32"),
        (dtypes.int32, (1,), [2**40], "feed 'x:0' holds numbers that do not fit int32"),
        (dtypes.uint8, (1,), [-1], "feed 'x:0' holds numbers that do not fit uint8"),
        (dtypes.bool_, (1,), [1], "feed 'x:0' is int64, and the graph wants bool"),
        (dtypes.string, (1,), [1.0], "feed 'x:0' is float64, and the graph wants string"),
        (FLOAT, None, [[1.0], [2.0, 3.0]], "feed 'x:0' is no array"),
        (dtypes.resource, (), 1.0, "feed 'x:0' is float64, and the graph wants resource"),
    ],
)
def test_feeds_are_checked(graph: Graph, dtype: Any, shape: Any, value: Any, message: str) -> None:
    x = graph.build.Placeholder(dtype=dtype, shape=shape, name="x")
    with pytest.raises(ArgumentError, match=message):
        graphgrad.evaluate(graph, graph.build.Identity(x), {"x": value})


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        (FLOAT, [1, 2]),
        (FLOAT, np.array([1.5, 2.5])),
        (dtypes.bfloat16, [1.0, 2.0]),
        (dtypes.int64, np.array([1, 2], np.uint8)),
        (dtypes.complex64, [1.0, 2j]),
        (dtypes.string, ["a", b"b"]),
        (dtypes.bool_, [True, False]),
    ],
)
def test_what_fits_is_converted(graph: Graph, dtype: Any, value: Any) -> None:
    x = graph.build.Placeholder(dtype=dtype, shape=(2,), name="x")
    found = graphgrad.evaluate(graph, graph.build.Identity(x), {"x": value})
    assert found.dtype == arrays.numpy_dtype(dtype)
    expected = [v.encode() if isinstance(v, str) else v for v in value]
    assert found.tolist() == expected


def test_a_failing_kernel_names_its_node_op_and_inputs(graph: Graph) -> None:
    """In the first run, and in the program of later ones."""
    x = placeholder(graph, "x", None)
    i = placeholder(graph, "i", None, dtype=dtypes.int32)
    plan = graphgrad.compile(graph, graph.build.GatherV2(x, i, 0, name="rows"), [x, i])
    feeds = {"x": [1.0, 2.0], "i": [0, 1, 1]}
    for _ in range(4):
        with pytest.raises(EvaluationError) as raised:
            plan.run({**feeds, "i": [0, 1, 7]})
        message = str(raised.value)
        assert message.startswith("GatherV2 node 'rows' failed on (float32 [2], int32 [3], int32 []): "), message
        assert "7" in message
        assert plan.run(feeds)[0].tolist() == [1, 2, 2]


def test_what_reaches_outside_is_refused(graph: Graph) -> None:
    g = graph.build
    name = g.constant("/etc/passwd")
    read = g.ReadFile(name, name="secret")
    g.WriteFile(name, g.constant("x"), name="write")
    (called,) = g.EagerPyFunc([read], Tout=[FLOAT], token="t", name="python")
    with pytest.raises(EvaluationError) as raised:
        graphgrad.evaluate(graph, ["write", called])
    assert str(raised.value) == (
        "refused, since it reaches outside the graph: ReadFile (node 'secret'), EagerPyFunc (node 'python'), "
        "WriteFile (node 'write')"
    )
    from graphgrad import opdefs, registry

    assert all(opdefs.signature(op) is None or registry.kernel_of(op) is None for op in OUTSIDE)


class Bomb:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("boom"),))


@pytest.mark.parametrize("name", ["f.npz", "f.npy", "pickle.npz"])
def test_pickles_are_never_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    if name == "pickle.npz":
        Path(name).write_bytes(pickle.dumps(Bomb()))
    else:
        (np.savez if name == "f.npz" else np.save)(name, np.array([Bomb()], object))
    read = arrays.read_npy if name.endswith("npy") else arrays.read_npz
    with pytest.raises(ArgumentError):
        read(name, "--feeds")
    assert not Path("boom").exists()


def test_strangers_are_told_apart(graph: Graph) -> None:
    x = placeholder(graph, "x")
    other = placeholder(Graph(), "x")
    for call in (lambda: graphgrad.compile(graph, other), lambda: graphgrad.evaluate(graph, x, {other: 1.0})):
        with pytest.raises(ValueError, match="is no tensor of this graph"):
            call()
    with pytest.raises(ValueError, match=r"no node 'y' in the graph"):
        graphgrad.evaluate(graph, "y")
