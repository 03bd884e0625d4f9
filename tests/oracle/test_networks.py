"""Real networks: the gradients to the input and to all weights, in TensorFlow and in the interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner
from graphgrad_cli.main import cli

from graphgrad import compile as compile_graph
from graphgrad.differentiate import differentiate
from graphgrad.errors import ExitCode
from graphgrad.formats import models
from graphgrad.schema import graph_pb2
from tests.oracle import networks
from tests.oracle.networks import Network
from tests.structure import difference, normal_form

tf1 = tf.compat.v1
TOLERANCE = 1e-3


def network(name: str) -> Network:
    return networks.SMALL[name]() if name in networks.SMALL else networks.application(name, networks.APPLICATIONS[name])


def loaded(found: Network, folder: Path) -> Any:
    (folder / "graph.pb").write_bytes(found.definition.SerializeToString())
    return models.load(folder / "graph.pb")


def parts(gradient: Any) -> list[Any]:
    """The tensors a gradient consists of."""
    return [gradient.values, gradient.indices] if hasattr(gradient, "indices") else [gradient]


@pytest.mark.parametrize("name", [*networks.SMALL, *networks.APPLICATIONS])
def test_gradients(name: str, tmp_path: Path) -> None:
    found = network(name)
    graph = loaded(found, tmp_path)
    ours = differentiate([found.loss], found.xs, graph=graph).gradients
    models.save(graph, tmp_path / "with_gradients.pb")
    compare(found, found.definition, graph, ours, tmp_path / "with_gradients.pb")


def compare(found: Network, definition: Any, graph: Any, ours: list[Any], written: Path) -> None:
    """Nodes and numbers against what TensorFlow makes of the definition: in the interpreter, and written in TensorFlow."""
    theirs_graph = tf.Graph()
    with theirs_graph.as_default():
        tf.import_graph_def(definition, name="")
        theirs = tf1.gradients(
            theirs_graph.get_tensor_by_name(found.loss), [theirs_graph.get_tensor_by_name(x) for x in found.xs]
        )
    assert [d is None for d in ours] == [d is None for d in theirs]
    if not found.has_gradients:
        nodes = graph_pb2.GraphDef.FromString(theirs_graph.as_graph_def().SerializeToString()).node
        problem = difference(normal_form(nodes[graph.read_count :]), normal_form(op.node_def() for op in graph.added()))
        assert not problem, problem

    wanted = [t for d in theirs if d is not None for t in parts(d)]
    with tf1.Session(graph=theirs_graph) as session:
        expected_values = session.run(wanted, found.feeds)
    fetches = [t for d in ours if d is not None for t in parts(d)]
    check(compile_graph(graph, fetches, found.feeds).run(found.feeds), expected_values, fetches, "in the interpreter")
    with tf.Graph().as_default() as rewritten, tf1.Session(graph=rewritten) as session:
        tf.import_graph_def(tf1.GraphDef.FromString(written.read_bytes()), name="")
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
    found = networks.application("EfficientNetB0", 64)
    model, written = tmp_path / "graph.pb", tmp_path / "with_gradients.pb"
    model.write_bytes(found.definition.SerializeToString())
    arguments = ["add-gradients", str(model), "--ys", found.loss, "--xs", ",".join(found.xs), "-o", str(written)]
    refused = CliRunner().invoke(cli, arguments)
    assert refused.exit_code == ExitCode.NO_GRADIENT and "custom gradient" in refused.stderr and not written.exists()

    through = CliRunner().invoke(cli, [*arguments, "--custom-gradients", "through"])
    assert through.exit_code == 0, through.stderr
    graph = loaded(found, tmp_path)
    ours = differentiate([found.loss], found.xs, graph=graph, custom_gradients="through").gradients
    assert written.read_bytes() == graph_bytes(graph, tmp_path)
    compare(found, _without_custom_gradients(found.definition), graph, ours, written)


def graph_bytes(graph: Any, folder: Path) -> bytes:
    models.save(graph, folder / "again.pb")
    return (folder / "again.pb").read_bytes()


def _without_custom_gradients(definition: Any) -> Any:
    plain = tf1.GraphDef.FromString(definition.SerializeToString())
    for node in plain.node:
        node.attr.pop("_gradient_op_type", None)
    return plain
