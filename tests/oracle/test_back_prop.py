"""Loops of a MetaGraph that were made with back_prop=False: TensorFlow's nodes and numbers, by themselves and around each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

import graphgrad
from graphgrad.errors import GraphGradError
from graphgrad.runtime.plan import evaluate
from graphgrad.schema import graph_pb2
from tests.closeness import why_not_close
from tests.structure import difference, normal_form

tf1 = tf.compat.v1
FED = {"x:0": [0.3, -0.2, 1.1], "p:0": True}
Loss = Callable[[Any, Any], Any]


def loop(x: Any, back_prop: bool = False, start: Any = None, body: Any = None) -> Any:
    def sines(i: Any, y: Any) -> Any:
        return i + 1, tf.sin(y) * x

    first = x if start is None else start
    return tf1.while_loop(lambda i, _: i < 3, body or sines, [0, first], back_prop=back_prop)[1]


def twice(x: Any, outer: bool, inner: bool, **options: Any) -> Any:
    """A loop in a loop."""
    body = lambda i, y: (i + 1, loop(y, inner) * y * x)  # noqa: E731
    return tf1.while_loop(lambda i, _: i < 3, body, [0, x], back_prop=outer, **options)[1]


def squares(x: Any, back_prop: bool) -> Any:
    return tf1.map_fn(lambda element: element * element, x, back_prop=back_prop)


def of_two_variables(x: Any) -> Any:
    _, a, b = tf1.while_loop(lambda i, y, z: i < 3, lambda i, y, z: (i + 1, y * z, z + x), [0, x, x], back_prop=False)
    return a * b * x


LOSSES: dict[str, Loss] = {
    "alone": lambda x, p: loop(x),
    "beside a way": lambda x, p: loop(x) * x,
    "before a sum": lambda x, p: tf.reduce_sum(loop(x) * tf.exp(x)),
    "the inner one": lambda x, p: twice(x, True, False),
    "the inner one, on swapped stacks": lambda x, p: twice(x, True, False, swap_memory=True),
    "the outer one": lambda x, p: x * twice(x, False, True),
    "both": lambda x, p: x * twice(x, False, False),
    "in a cond": lambda x, p: tf1.cond(p, lambda: loop(x) * x, lambda: tf.sin(x)),
    "all of a branch": lambda x, p: tf1.cond(p, lambda: loop(x), lambda: tf.sin(x)),
    "around a cond": lambda x, p: x * loop(x, body=lambda i, y: (i + 1, tf1.cond(p, lambda: y * x, lambda: tf.sin(y)))),
    "in a cond in a loop": lambda x, p: loop(
        x, True, body=lambda i, y: (i + 1, tf1.cond(p, lambda: loop(y) * y, lambda: y * x))
    ),
    "beside another": lambda x, p: loop(x) + loop(x, True),
    "before another": lambda x, p: loop(x, True, start=loop(x) * x),
    "behind another": lambda x, p: loop(x, start=loop(x, True)),
    "of two variables": lambda x, p: of_two_variables(x),
    "of arrays": lambda x, p: tf.reduce_sum(squares(x, False)) * x + squares(x, True),
}


@pytest.fixture(autouse=True)
def frames() -> None:
    tf1.disable_control_flow_v2()


@pytest.mark.parametrize("shape", [[3], [None], None], ids=["static", "ranks", "unknown"])
@pytest.mark.parametrize("name", LOSSES)
def test_nodes_and_numbers_are_tensorflows(name: str, shape: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "m.meta")
    with tf.Graph().as_default() as graph:
        x, p = tf1.placeholder(tf.float32, shape, name="x"), tf1.placeholder(tf.bool, [], name="p")
        tf.identity(LOSSES[name](x, p), name="y")
        tf1.train.export_meta_graph(path, graph=graph)
    theirs, nodes, values = _by_tensorflow(path)
    ours = graphgrad.load(path)
    before, found, ys = len(ours), [], [ours.tensor("y:0")]
    for _ in theirs:
        ys = [dx for dx in graphgrad.gradients(ys, ["x:0"], graph=ours) if dx is not None]  # type: ignore[misc]
        found.append([dx.name for dx in ys])
    assert found == theirs
    assert difference(nodes, normal_form(op.node_def() for op in ours.operations[before:])) == ""
    for wanted, value in zip(values, evaluate(ours, [n for names in found for n in names], FED), strict=True):
        assert why_not_close(wanted, value) == ""
    if len(found) < 2 and ys:
        with pytest.raises(GraphGradError, match="second-order gradients of while loops"):
            graphgrad.gradients(ys, ["x:0"], graph=ours)


def _by_tensorflow(path: str) -> tuple[list[list[str]], dict[str, str], list[Any]]:
    """The names of the gradients of each order there is, the nodes that were added, the numbers."""
    found: list[list[str]] = []
    with tf.Graph().as_default() as graph, tf1.Session() as session:
        tf1.train.import_meta_graph(path)
        before, ys = len(graph.get_operations()), [graph.get_tensor_by_name("y:0")]
        try:
            while ys and len(found) < 2:
                ys = [dx for dx in tf1.gradients(ys, [graph.get_tensor_by_name("x:0")]) if dx is not None]
                found.append([dx.name for dx in ys])
                whole = graph_pb2.GraphDef.FromString(graph.as_graph_def().SerializeToString())
        except TypeError as error:
            assert "Second-order" in str(error)
        values = session.run([name for names in found for name in names], FED)
    return found, normal_form(whole.node[before:]), values


@pytest.mark.parametrize("back_prop", [True, False])
def test_frozen_meta_graphs_still_tell_of_their_loops(back_prop: bool, tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        x, p = tf1.placeholder(tf.float32, [3], name="x"), tf1.placeholder(tf.bool, [], name="p")
        w = tf1.get_variable("w", initializer=[0.5, 2.0, -1.0], use_resource=False)
        branch = tf1.cond(p, lambda: loop(x * w, back_prop, start=x * w), lambda: x)
        tf.identity(branch * x + loop(w * x, True), name="y")
        tf1.train.export_meta_graph(str(tmp_path / "m.meta"), graph=graph)
    values = {"w": [0.5, 2.0, -1.0]}
    frozen = graphgrad.freeze(graphgrad.load(tmp_path / "m.meta"), values, outputs=["y"])
    graphgrad.save(frozen, tmp_path / "frozen.meta", kind="meta-graph")
    [names], nodes, [expected] = _by_tensorflow(str(tmp_path / "frozen.meta"))
    ours = graphgrad.load(tmp_path / "frozen.meta")
    before, [dx] = len(ours), graphgrad.gradients(["y:0"], ["x:0"], graph=ours)
    assert dx is not None and dx.name == names[0]
    assert difference(nodes, normal_form(op.node_def() for op in ours.operations[before:])) == ""
    assert why_not_close(expected, evaluate(ours, dx, FED)) == ""
