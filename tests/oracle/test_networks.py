"""Real networks: the gradients to the input and to all weights, in TensorFlow and in the interpreter.

The largest take most of a minute each: GRAPHGRAD_NETWORKS=all runs them too.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from graphgrad import compile as compile_graph
from graphgrad.differentiate import differentiate
from graphgrad.errors import MissingGradientError
from graphgrad.formats import models
from graphgrad.graph import IndexedSlices
from graphgrad.schema import graph_pb2
from tests.oracle import networks
from tests.oracle.networks import Network
from tests.structure import difference, normal_form

tf1 = tf.compat.v1
ALL = os.environ.get("GRAPHGRAD_NETWORKS") == "all"
USUAL = [*networks.SMALL, "MobileNetV2", "ResNet50"]
NAMES = [*networks.SMALL, *networks.APPLICATIONS] if ALL else USUAL
TOLERANCE = 1e-3


def network(name: str) -> Network:
    return networks.SMALL[name]() if name in networks.SMALL else networks.application(name, networks.APPLICATIONS[name])


def loaded(found: Network, folder: Path) -> Any:
    (folder / "graph.pb").write_bytes(found.definition.SerializeToString())
    return models.load(folder / "graph.pb")


def parts(gradient: Any) -> list[Any]:
    """The tensors a gradient consists of."""
    return [gradient.values, gradient.indices] if hasattr(gradient, "indices") else [gradient]


@pytest.mark.parametrize("name", NAMES)
def test_gradients(name: str, tmp_path: Path) -> None:
    found = network(name)
    graph = loaded(found, tmp_path)
    ours = differentiate([found.loss], found.xs, graph=graph).gradients

    theirs_graph = tf.Graph()
    with theirs_graph.as_default():
        tf.import_graph_def(found.definition, name="")
        theirs = tf1.gradients(
            theirs_graph.get_tensor_by_name(found.loss), [theirs_graph.get_tensor_by_name(x) for x in found.xs]
        )
    assert [d is None for d in ours] == [d is None for d in theirs]
    if not found.has_gradients:
        nodes = graph_pb2.GraphDef.FromString(theirs_graph.as_graph_def().SerializeToString()).node
        expected = dict(list(normal_form(nodes).items())[graph.read_count :])
        problem = difference(expected, normal_form(op.node_def() for op in graph.added()))
        assert not problem, problem

    wanted = [t for d in theirs if d is not None for t in parts(d)]
    with tf1.Session(graph=theirs_graph) as session:
        expected_values = session.run(wanted, found.feeds)
    fetches = [t for d in ours if d is not None for t in parts(d)]
    check(compile_graph(graph, fetches, found.feeds).run(found.feeds), expected_values, fetches, "in the interpreter")
    models.save(graph, tmp_path / "with_gradients.pb")
    with tf.Graph().as_default() as written, tf1.Session(graph=written) as session:
        definition = tf1.GraphDef.FromString((tmp_path / "with_gradients.pb").read_bytes())
        tf.import_graph_def(definition, name="")
        check(session.run([t.name for t in fetches], found.feeds), expected_values, fetches, "in TensorFlow")


def check(values: list[Any], expected: list[Any], tensors: list[Any], where: str) -> None:
    for value, wanted, tensor in zip(values, expected, tensors, strict=True):
        if wanted.dtype.kind in "iu":
            np.testing.assert_array_equal(value, wanted, err_msg=f"{tensor.name} {where}")
            continue
        scale = np.abs(wanted).max(initial=0) or 1.0
        error = np.abs(value - wanted).max(initial=0) / scale
        assert error < TOLERANCE, f"{tensor.name} {where}: relative error {error:.2g}"


def test_a_custom_gradient_is_refused_or_differentiated_through(tmp_path: Path) -> None:
    """EfficientNet's swish has a gradient of its own, written in Python, that a frozen graph does not hold."""
    found = networks.application("EfficientNetB0", 32)
    graph = loaded(found, tmp_path)
    with pytest.raises(MissingGradientError, match="custom gradient"):
        differentiate([found.loss], found.xs, graph=graph)
    graph = loaded(found, tmp_path)
    through = differentiate([found.loss], found.xs[:1], graph=graph, custom_gradients="through").gradients[0]
    assert through is not None and not isinstance(through, IndexedSlices)
    function = tf1.wrap_function(
        lambda x: tf.graph_util.import_graph_def(
            _without_custom_gradients(found.definition), {found.xs[0]: x}, [found.loss]
        )[0],
        [tf.TensorSpec(found.feeds[found.xs[0]].shape, tf.float32)],
    )
    image = tf.constant(found.feeds[found.xs[0]])
    with tf.GradientTape() as tape:
        tape.watch(image)
        loss = function(image)
    expected = tape.gradient(loss, image).numpy()
    check(
        [compile_graph(graph, [through], found.feeds).run(found.feeds)[0]], [expected], [through], "in the interpreter"
    )


def _without_custom_gradients(definition: Any) -> Any:
    plain = tf1.GraphDef.FromString(definition.SerializeToString())
    for node in plain.node:
        node.attr.pop("_gradient_op_type", None)
    return plain
