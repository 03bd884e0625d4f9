"""Beside TensorFlow: the graphs graphgrad writes are loaded in a Session and give the numbers of TensorFlow's own gradients.

The golden answers are checked here too: TensorFlow must still append the nodes that were stored.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from graphgrad.differentiate import gradients
from graphgrad.errors import GraphGradError
from graphgrad.schema import graph_pb2
from graphgrad.shapes import dims
from graphgrad.tensors import IndexedSlices
from tests import cases, golden_store
from tests.cases import Built, Case
from tests.closeness import why_not_close
from tests.seeds import seed_value
from tests.structure import normal_form

tf1 = tf.compat.v1
ROWS = [(family, row) for family in cases.families() for row in cases.cases_of(family) if not row.random]


def imported(definition: graph_pb2.GraphDef) -> tf.Graph:
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(tf1.GraphDef.FromString(definition.SerializeToString()), name="")
    return graph


def differentiated(row: Case, level: str) -> tuple[Built, list[Any], tf.Graph]:
    """The row's graph, the gradients written into it, and all of it as TensorFlow reads it."""
    built = row.build(level)
    g = built.graph.build
    # Of the outputs' ranks: without them TensorFlow cannot differentiate products of sparse matrices either. What its
    # FusedBatchNorm keeps for a gradient has another shape than its shape function says.
    with tf1.Session(graph=imported(graph_pb2.GraphDef(node=[op.node_def() for op in built.graph]))) as session:
        shapes = [y.shape for y in session.run([y.name for y in built.ys], built.feeds)]
    known = [y.shape if dims.compatible(shape, y.shape) else None for shape, y in zip(shapes, built.ys)]
    seeds = [g.Placeholder(dtype=y.dtype, shape=known[i], name=f"dy{i}") for i, y in enumerate(built.ys)]
    found: list[Any] = gradients(built.ys, built.xs, grad_ys=seeds)
    found = [g.dense(d) if isinstance(d, IndexedSlices) else d for d in found]
    return built, found, imported(graph_pb2.GraphDef(node=[op.node_def() for op in built.graph]))


@pytest.mark.parametrize(("family", "row"), [pytest.param(f, r, id=f"{f}:{r.id}") for f, r in ROWS])
def test_the_written_graph_runs_in_tensorflow(family: str, row: Case) -> None:
    record = golden_store.read(family)[row.id]
    expected = record["values"]
    wanted = [key for key in expected if key.startswith("order1/")]
    if not wanted:
        pytest.skip("nothing to differentiate")
    try:
        built, found, graph = differentiated(row, "ranks" if "ranks" in row.levels else "static")
    except (GraphGradError, ValueError):
        # TensorFlow cannot do without static shapes here: it refuses the op itself, or its own gradient.
        if not {"ranks", "ranks/1"} & set(record["raises"]):
            raise
        built, found, graph = differentiated(row, "static")
    with tf1.Session(graph=graph) as session:
        ys = session.run([y.name for y in built.ys], built.feeds)
        feeds = {**built.feeds, **{f"dy{i}:0": seed_value(i, y) for i, y in enumerate(ys)}}
        for key in wanted:
            # In its own dtype, whose tolerance holds: products of bfloat16 differ by one unit between TensorFlow's kernels.
            value = np.asarray(session.run(found[int(key.partition("/")[2])].name, feeds))
            problem = why_not_close(expected[key], value, row.tolerance)
            assert not problem, f"{row.id} {key}: {problem}"


@pytest.mark.parametrize("op", ["MatMul", "Sum", "Pow", "Conv2D"])
def test_tensorflow_still_appends_what_is_stored(op: str) -> None:
    family, row = next((f, r) for f, r in ROWS if r.op == op)
    built = row.build("static")
    graph = imported(graph_pb2.GraphDef(node=[node.node_def() for node in built.graph]))
    with graph.as_default():
        ys = [graph.get_tensor_by_name(y.name) for y in built.ys]
        seeds = [tf1.placeholder(y.dtype, y.shape, name=f"dy{i}") for i, y in enumerate(ys)]
        tf1.gradients(ys, [graph.get_tensor_by_name(x.name) for x in built.xs], grad_ys=seeds, name="order1")
    nodes = graph_pb2.GraphDef.FromString(graph.as_graph_def().SerializeToString()).node
    listing = {k: v for k, v in normal_form(nodes).items() if k.startswith("order1/")}
    assert listing == golden_store.read(family)[row.id]["nodes"]["static/1"]
