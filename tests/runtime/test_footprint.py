"""What a plan says it will hold, beside what it does hold."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from graphgrad import compile as compile_graph
from graphgrad import dtypes, evaluate
from graphgrad.errors import EvaluationError
from graphgrad.graph import Graph

FLOAT = dtypes.float32
KILO = 1000 * 4  # bytes of a thousand numbers


def chain(graph: Graph, columns: int | None = 1000) -> Any:
    g = graph.build
    x = g.Placeholder(dtype=FLOAT, shape=(None, columns), name="x")
    doubled = g.Mul(x, 2.0)
    flat = g.Reshape(doubled, [-1])  # shows the same memory
    return g.Mul(g.Exp(g.Sin(g.Sqrt(flat))), flat, name="last")


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
    tracemalloc.start()
    try:
        plan.run(feeds)
        measured = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    said = plan.peak_bytes({"x": (5000, 64)}) - feeds["x"].nbytes
    assert 0.9 * said < measured < 1.15 * said


def test_a_limit_is_kept_before_anything_runs() -> None:
    graph = Graph()
    last = chain(graph)
    feeds = {"x": np.ones((5, 1000), np.float32)}
    assert evaluate(graph, last, feeds, memory_limit=5 * 5 * KILO).shape == (5000,)
    with pytest.raises(
        EvaluationError, match=r"the arrays take 80,\d\d\d bytes by the time of node 'E?\w+', and the limit"
    ):
        evaluate(graph, last, feeds, memory_limit=3 * 5 * KILO)
