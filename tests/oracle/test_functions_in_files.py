"""Functions as files hold them, run by TensorFlow beside: with frames inside and their gradients, and SymbolicGradient."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.ops import functional_ops

import graphgrad
from graphgrad.graph import Graph
from graphgrad.runtime.plan import evaluate
from graphgrad.schema import graph_pb2
from tests import framed
from tests.closeness import why_not_close
from tests.controlflow.test_frames_in_functions import PROGRAMS

tf1 = tf.compat.v1


@pytest.mark.parametrize("by", ["call", "if"])
def test_tensorflow_runs_gradients_of_frames_in_functions(by: str, tmp_path: Path) -> None:
    """All programs, so that TensorFlow is started once."""
    unlike = {name: why for name in PROGRAMS if (why := _unlike(name, by, tmp_path / "m.pb"))}
    assert unlike == {}


def _unlike(name: str, by: str, path: Path) -> dict[str, str]:
    program = PROGRAMS[name]
    graph, ys = framed.called(program.graph(), program.ys, by)
    fetches, sources = {"y": ys[0].name}, list(ys)
    for i, _ in enumerate(program.gradients):
        found = graphgrad.gradients(sources, program.xs, graph=graph)
        sources = [dx for dx in found if dx is not None]
        fetches |= {f"{i}/{j}": graph.build.dense(dx).name for j, dx in enumerate(found) if dx is not None}
    graphgrad.save(graph, path)
    with tf.Graph().as_default() as theirs, tf1.Session() as session:
        tf.import_graph_def(tf1.GraphDef.FromString(path.read_bytes()), name="")
        for op in theirs.get_operations():
            if op.type == "VarHandleOp":
                value = program.variables[op.name]
                session.run(tf.raw_ops.AssignVariableOp(resource=op.outputs[0], value=value))
        values = session.run(fetches, program.feeds)
    expected = {key: program.values.get(key, np.zeros_like(value)) for key, value in values.items()}
    whys = {key: why_not_close(expected[key], value, 3.0) for key, value in values.items()}
    return {key: why for key, why in whys.items() if why}


BODIES: dict[str, Callable[..., Any]] = {
    "of one": lambda x, y: [x * y + tf.sin(x)],
    "of two": lambda x, y: [tf.tanh(x) * y, tf.reduce_sum(x * x)],
    "of matrices": lambda x, y: [tf.matmul(tf.reshape(x, [1, 3]), tf.reshape(y, [3, 1]))],
    "of an unused argument": lambda x, y: [tf.exp(x)],
    "of a broadcast": lambda x, y: [x * tf.reduce_sum(y)],
    "of joined ones": lambda x, y: [tf.nn.softmax(tf.concat([x, y], 0))],
}


@pytest.mark.parametrize("body", BODIES)
def test_symbolic_gradients_are_run_and_differentiated(body: str) -> None:
    fed = {"x": np.array([0.3, -0.2, 1.1], "f"), "y": np.array([0.5, 0.7, -0.4], "f")}
    with tf.Graph().as_default() as graph, tf1.Session() as session:
        x, y = (tf1.placeholder(tf.float32, [3], name=name) for name in fed)
        specs = [tf.TensorSpec([3]), tf.TensorSpec([3])]
        function = tf.function(BODIES[body], autograph=False).get_concrete_function(*specs)
        function.add_to_graph(graph)
        seeds = [tf.ones_like(result) * 0.7 for result in BODIES[body](x, y)]
        symbolic = functional_ops.symbolic_gradient([x, y, *seeds], [tf.float32] * 2, function.name)
        loss = tf.add_n([tf.reduce_sum(tf.sin(dx)) for dx in symbolic])
        plain = [dx for dx in tf.gradients(BODIES[body](x, y), [x, y], seeds) if dx is not None]
        again = tf.gradients(tf.add_n([tf.reduce_sum(tf.sin(dx)) for dx in plain]), [x, y])
        again = [tf.zeros_like(x) if dx is None else dx for dx in again]
        expected = session.run([*symbolic, *again], {x: fed["x"], y: fed["y"]})
        ours = Graph(graph_pb2.GraphDef.FromString(graph.as_graph_def().SerializeToString()))
    second = graphgrad.gradients(loss.name, ["x:0", "y:0"], unconnected_gradients="zero", graph=ours)
    fetches = [*(ours.tensor(t.name) for t in symbolic), *second]
    for wanted, found in zip(expected, evaluate(ours, fetches, fed), strict=True):
        assert why_not_close(wanted, found) == ""
