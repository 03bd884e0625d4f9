"""What a plan says it will hold, beside what it does hold."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphgrad
from graphgrad import compile as compile_graph
from graphgrad import dtypes, evaluate
from graphgrad.errors import EvaluationError
from graphgrad.graph import Graph
from graphgrad.inspect import evaluated
from tests.loops import function, looped

FLOAT = dtypes.float32
KILO = 1000 * 4  # bytes of a thousand numbers


def chain(graph: Graph, columns: int | None = 1000) -> Any:
    g = graph.build
    x = g.Placeholder(dtype=FLOAT, shape=(None, columns), name="x")
    doubled = g.Mul(x, 2.0)
    flat = g.Reshape(doubled, [-1])  # shows the same memory
    return g.Mul(g.Exp(g.Sin(g.Sqrt(flat))), flat, name="last")


def measured(plan: Any, feeds: dict[str, Any]) -> int:
    """The bytes that a run takes beside its feeds."""
    tracemalloc.start()
    try:
        plan.run(feeds)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_arrays_count_until_their_last_reader_has_run() -> None:
    graph = Graph()
    plan = compile_graph(graph, [chain(graph)], ["x"])
    found = plan.footprint({"x": (50, 1000)})
    # x, doubled, which flat shows to the end, and two of what lies between
    small = found.bytes - 4 * 50 * KILO
    assert 0 < small < 64 and found.unknown == []
    assert plan.peak_bytes({"x:0": (100, 1000)}) == 4 * 100 * KILO + small


def test_shapes_that_were_supposed_are_forgotten() -> None:
    graph = Graph()
    last = chain(graph, None)
    plan = compile_graph(graph, [last], ["x"])
    shapes = [t.shape for op in graph for t in op.outputs]
    assert plan.peak_bytes({"x": (8, 8)}) > 0
    assert [t.shape for op in graph for t in op.outputs] == shapes


def test_sizes_that_only_a_run_tells_are_named() -> None:
    graph = Graph()
    g = graph.build
    x = g.Placeholder(dtype=FLOAT, shape=(None,), name="x")
    places = g.Where(g.Greater(x, 0.0), name="places")
    plan = compile_graph(graph, [places], ["x"])
    assert plan.footprint({"x": (100,)}).unknown == ["places"]


def test_a_run_holds_what_was_said() -> None:
    graph = Graph()
    g = graph.build
    x = g.Placeholder(dtype=FLOAT, shape=(None, 64), name="x")
    h, kept = x, []
    for _ in range(6):
        h = g.Tanh(g.Mul(h, 1.5))
        kept.append(h)
    plan = compile_graph(graph, [g.AddN(kept)], ["x"])
    feeds = {"x": np.ones((5000, 64), np.float32)}
    said = plan.peak_bytes({"x": (5000, 64)}) - feeds["x"].nbytes
    assert 0.9 * said < measured(plan, feeds) < 1.15 * said


def test_a_limit_is_kept_before_anything_runs() -> None:
    graph = Graph()
    last = chain(graph)
    feeds = {"x": np.ones((5, 1000), np.float32)}
    assert evaluate(graph, last, feeds, memory_limit=5 * 5 * KILO).shape == (5000,)
    with pytest.raises(
        EvaluationError, match=r"the arrays take 80,\d\d\d bytes by the time of node 'E?\w+', and the limit"
    ):
        evaluate(graph, last, feeds, memory_limit=3 * 5 * KILO)


def chained(g: Any, x: Any) -> Any:
    for _ in range(3):
        x = g.Add(g.Tanh(g.Mul(x, 1.5)), g.Sin(x))
    return x


@pytest.mark.parametrize("depth", [1, 3])
def test_a_call_holds_what_its_function_holds(depth: int) -> None:
    graph = Graph()
    f = function(graph, "f0", [FLOAT], lambda g, a: [chained(g, a)])
    for level in range(1, depth):
        f = function(
            graph, f"f{level}", [FLOAT], lambda g, a, f=f: [g.op("PartitionedCall", [a], f=f, Tout=[FLOAT]).outputs[0]]
        )
    g = graph.build
    x = g.Placeholder(dtype=FLOAT, shape=(None, 64), name="x")
    y = g.Neg(g.op("PartitionedCall", [x], f=f, Tout=[FLOAT], name="call").outputs[0])
    plan = compile_graph(graph, [y], ["x"])
    said = plan.footprint({"x": (5000, 64)})
    assert said.unknown == [] and said.node.startswith("/".join(["call", *["PartitionedCall"] * (depth - 1)]) + "/")
    feeds = {"x": np.ones((5000, 64), np.float32)}
    assert 0.9 * (said.bytes - feeds["x"].nbytes) < measured(plan, feeds) < 1.15 * (said.bytes - feeds["x"].nbytes)


def test_of_two_branches_the_larger_counts() -> None:
    graph = Graph()
    small = function(graph, "small", [FLOAT], lambda g, a: [g.Neg(a)])
    large = function(graph, "large", [FLOAT], lambda g, a: [g.Sum(g.Tanh(g.Tile(a, [10, 1])), [0], keep_dims=True)])
    g = graph.build
    x = g.Placeholder(dtype=FLOAT, shape=(1, 1000), name="x")
    p = g.Placeholder(dtype=dtypes.bool_, shape=(), name="p")
    (y,) = g.op("If", p, [x], then_branch=small, else_branch=large, Tout=[FLOAT], name="if").outputs
    found = compile_graph(graph, [y], ["x", "p"]).footprint({})
    assert 21 * KILO <= found.bytes <= 21 * KILO + 100 and found.node == "if/Tanh"


def test_a_round_of_a_loop_is_counted_once() -> None:
    graph, outputs = looped(7, [None], lambda g, i, x: [chained(g, x)])
    plan = compile_graph(graph, [outputs[1]], ["x"])
    said = plan.footprint({"x": (100, 64)})
    feeds = {"x": np.ones((100, 64), np.float32)}
    assert said.unknown == []
    assert 0.8 * (said.bytes - feeds["x"].nbytes) < measured(plan, feeds) < 1.2 * (said.bytes - feeds["x"].nbytes)


def test_loops_of_version_1_are_counted() -> None:
    """What the saver runs is no output of the model; shapes inside of the loop follow from those of the feeds."""
    graph = graphgrad.load(Path(__file__).parents[2] / "samples" / "11_dynamic_rnn" / "model.meta")
    assert not [tensor.name for tensor in evaluated(graph) if tensor.name.startswith("save/")]
    plan = compile_graph(graph, ["loss"], ["steps", "lengths"])
    found = [plan.footprint({"steps": (batch, 10, 2), "lengths": (batch,)}) for batch in (1000, 2000)]
    growth = found[1].bytes - found[0].bytes
    assert growth > 1000 * 10 * 2 * 4 * 2, "the steps, and the steps in another order"
    assert found[0].unknown == ["rnn/TensorArray", "rnn/TensorArray_1"]


def test_variables_and_the_constants_of_functions_are_held() -> None:
    graph = Graph()
    f = function(
        graph,
        "f",
        [FLOAT],
        lambda g, a: [g.Sum(g.Mul(a, g.constant([[1.0] * 1000] * 10, FLOAT)), [0, 1])],
    )
    g = graph.build
    v = g.VarHandleOp(dtype=FLOAT, shape=(20, 1000), name="v")
    row = g.Slice(g.ReadVariableOp(v, dtype=FLOAT), [0, 0], [1, 1000])
    (y,) = g.op("PartitionedCall", [row], f=f, Tout=[FLOAT]).outputs
    found = compile_graph(graph, [y]).footprint({})
    assert (20 + 1 + 10 + 10) * KILO <= found.bytes < 42 * KILO


def test_what_lists_hold_only_a_run_tells() -> None:
    graph = Graph()
    g = graph.build
    handle = g.EmptyTensorList([2], 7, element_dtype=FLOAT, name="list")
    assert compile_graph(graph, [g.TensorListLength(handle)]).footprint({}).unknown == ["list"]
