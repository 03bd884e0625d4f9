"""Functions with attributes of their own, run by TensorFlow: the graphs as they are, and with their gradients added."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.python.framework import function as objects_of_functions

import graphgrad
from graphgrad.graph import Graph
from graphgrad.runtime.plan import evaluate
from tests.attributed import FED, PROGRAMS
from tests.closeness import why_not_close

tf1 = tf.compat.v1


@pytest.fixture(autouse=True)
def import_reads_no_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow's import makes a Python object of each function, which a dtype that callers decide is too much for; its
    runtime reads the library itself.
    """
    monkeypatch.setattr(objects_of_functions, "from_library", lambda library: [])


def run(message: Any, fetches: list[str]) -> list[Any]:
    with tf.Graph().as_default(), tf1.Session() as session:
        tf.import_graph_def(tf1.GraphDef.FromString(message), name="")
        return session.run(fetches, {f"{name}:0": value for name, value in FED.items()})


@pytest.mark.parametrize("name", PROGRAMS)
def test_tensorflow_runs_gradients_of_instances(name: str, tmp_path: Path) -> None:
    program, path = PROGRAMS[name], tmp_path / "m.pb"
    ys = [f"y:{i}" for i in range(program.outputs)]
    graph = Graph(program.graph_def())
    [dx] = graphgrad.gradients("y:0", "x:0", graph=graph)
    [ddx] = graphgrad.gradients(dx, "x:0", graph=graph)
    graphgrad.save(graph, path)
    fetches = [*ys, *(t.name for t in (dx, ddx) if t is not None)]
    theirs = run(path.read_bytes(), fetches)
    for wanted, found in zip(theirs, evaluate(graph, fetches, FED), strict=True):
        assert why_not_close(wanted, found) == ""
    before = Graph(program.graph_def())
    for wanted, found in zip(run(program.graph_def().SerializeToString(), ys), evaluate(before, ys, FED), strict=True):
        assert why_not_close(wanted, found) == ""


@pytest.mark.parametrize("name", PROGRAMS)
def test_static_shapes_are_tensorflows(name: str) -> None:
    program = PROGRAMS[name]
    ours = Graph(program.graph_def()).operation("y")
    with tf.Graph().as_default() as theirs:
        tf.import_graph_def(tf1.GraphDef.FromString(program.graph_def().SerializeToString()), name="")
        wanted = [t.shape for t in theirs.get_operation_by_name("y").outputs]
    assert [tf.TensorShape(t.shape) for t in ours.outputs] == wanted
