"""The two real graphs in TensorFlow: what is written runs in a Session with the stored numbers, and is what tf.gradients appends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import graphgrad
from graphgrad.schema import graph_pb2
from tests.main.test_models import CALLS
from tests.structure import difference, normal_form

tf1 = tf.compat.v1
TOLERANCE = 1e-3  # of the largest element, as case.json's page has it
NOISE = 1e-7  # the bias of attention's keys has no influence: both sides hold rounding noise of 1e-8


def imported(data: bytes) -> tf.Graph:
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(tf1.GraphDef.FromString(data), name="")
    return graph


@pytest.mark.parametrize(("folder", "call"), CALLS)
def test_the_written_graph_in_a_session(folder: Path, call: dict[str, Any], tmp_path: Path) -> None:
    graph = graphgrad.load(folder / "graph.pb")
    found = graphgrad.gradients(call["ys"], call["xs"], graph=graph)
    added = normal_form(op.node_def() for op in graph.added())
    with graph.build.in_scope(""):
        dense = [graph.build.dense(d) if isinstance(d, graphgrad.IndexedSlices) else d for d in found]
    graphgrad.save(graph, tmp_path / "o.pb")
    expected = np.load(folder / f"expect-{call['id']}.npz")
    feeds = {name if ":" in name else f"{name}:0": value for name, value in np.load(folder / "feeds.npz").items()}
    with tf1.Session(graph=imported((tmp_path / "o.pb").read_bytes())) as session:
        values = session.run([graph.tensor(y).name for y in call["ys"]] + [d.name for d in dense], feeds)
    keys = [f"y:{i}" for i in range(len(call["ys"]))] + [f"g:{i}" for i in range(len(call["xs"]))]
    for key, value in zip(keys, values, strict=True):
        assert np.abs(value - expected[key]).max() <= max(TOLERANCE * np.abs(expected[key]).max(), NOISE), key

    theirs = imported((folder / "graph.pb").read_bytes())
    with theirs.as_default():
        tensors = [[theirs.get_tensor_by_name(graph.tensor(n).name) for n in call[k]] for k in ("ys", "xs")]
        tf1.gradients(*tensors)
    nodes = graph_pb2.GraphDef.FromString(theirs.as_graph_def().SerializeToString()).node
    wanted = dict(list(normal_form(nodes).items())[graph.read_count :])
    problem = difference(wanted, added)
    assert not problem, problem
