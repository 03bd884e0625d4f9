"""Models with our gradients in TensorFlow: loaded the way each kind is loaded, run with its own variables or a checkpoint's.

The numbers are those of a tape, or of tf.gradients in the process that built the model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import graphgrad
from graphgrad import signatures
from graphgrad.formats import restored
from tests import file_store
from tests.closeness import why_not_close
from tests.file_store import Model
from tests.oracle import file_models
from tests.oracle.write_files import describe

tf1 = tf.compat.v1


@pytest.fixture(params=[*file_models.SMALL, *file_models.LARGE], ids=lambda make: make.__name__)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Model:
    describe(request.param(tmp_path), tmp_path)
    return file_store.described(tmp_path)


def named(model: Model) -> tuple[Any, dict[str, str], dict[str, np.ndarray]]:
    """The model's graph with the gradients in it, the tensor of each value, and feeds by tensor."""
    graph = graphgrad.load(model.path)
    ys, xs = (
        [signatures.tensor_name(graph, name, side) for name in names]
        for side, names in ((signatures.OUTPUTS, model.ys), (signatures.INPUTS, model.xs))
    )
    found = [graph.build.dense(dx) for dx in graphgrad.gradients(ys, xs, graph=graph)]
    tensors = dict(zip([*model.ys, *(f"d{x}" for x in model.xs)], [*ys, *(dx.name for dx in found)], strict=True))
    feeds = {signatures.tensor_name(graph, key, signatures.INPUTS): value for key, value in model.feeds.items()}
    full = {(name if ":" in name else f"{name}:0"): value for name, value in feeds.items()}
    return graph, {key: t if ":" in t else f"{t}:0" for key, t in tensors.items()}, full


def check(model: Model, tensors: dict[str, str], values: list[Any], where: str) -> None:
    for key, value in zip(tensors, values, strict=True):
        assert why_not_close(model.values[key], value) == "", f"{key} {where}"


def test_gradients(model: Model, tmp_path: Path) -> None:
    graph, tensors, feeds = named(model)
    out = tmp_path / f"with_gradients{model.path.suffix}"
    graphgrad.save(graph, out)
    values = graphgrad.evaluate(graph, list(tensors.values()), feeds, restored.variables_of(graph, model.variables))
    check(model, tensors, values, "in the interpreter")
    with tf.Graph().as_default(), tf1.Session() as session:
        _load(session, out, model)
        check(model, tensors, session.run(list(tensors.values()), feeds), "in TensorFlow")
    if out.suffix == "":
        _call_what_was_there(model, out)


def test_frozen(model: Model, tmp_path: Path) -> None:
    """Gradients of a frozen model, whose tables are filled from constants, in TensorFlow."""
    original = graphgrad.load(model.path)
    ys, xs = (
        [signatures.tensor_name(original, name, side) for name in names]
        for side, names in ((signatures.OUTPUTS, model.ys), (signatures.INPUTS, model.xs))
    )
    feeds = {
        original.tensor(signatures.tensor_name(original, k, signatures.INPUTS)).name: v for k, v in model.feeds.items()
    }
    graph = graphgrad.freeze(original, restored.variables_of(original, model.variables))
    found = [graph.build.dense(dx) for dx in graphgrad.gradients(ys, xs, graph=graph)]
    tensors = dict(
        zip(
            [*model.ys, *(f"d{x}" for x in model.xs)], [*(graph.tensor(y).name for y in ys), *(dx.name for dx in found)]
        )
    )
    graph.meta = None
    graphgrad.save(graph, tmp_path / "frozen.pb", kind="graph-def")
    first = signatures.initialiser(original)
    with tf.Graph().as_default(), tf1.Session() as session:
        tf.import_graph_def(tf1.GraphDef.FromString((tmp_path / "frozen.pb").read_bytes()), name="")
        if first is not None and first in graph:
            session.run(first)
        check(model, tensors, session.run(list(tensors.values()), feeds), "frozen, in TensorFlow")


def _load(session: Any, out: Path, model: Model) -> None:
    """Loads a written model with its variables."""
    if out.suffix == "":
        tf1.saved_model.load(session, ["serve"], str(out))
        if model.variables is not None:
            _assign(session, model)
    elif out.suffix == ".meta":
        saver = tf1.train.import_meta_graph(str(out))
        saver.restore(session, str(model.variables))
    else:
        tf.import_graph_def(tf1.GraphDef.FromString(out.read_bytes()), name="")
        _assign(session, model)


def _assign(session: Any, model: Model) -> None:
    """Gives the variables what graphgrad reads from a checkpoint that no operation of the graph restores."""
    graph = graphgrad.load(model.path)
    for name, value in restored.variables_of(graph, model.variables).items():
        handle = session.graph.get_tensor_by_name(f"{name}:0")
        assign = tf.raw_ops.AssignVariableOp(resource=handle, value=value)
        session.run(assign)


def _call_what_was_there(model: Model, out: Path) -> None:
    """The functions that were saved give what they gave, and can be differentiated as before."""
    loaded = tf.saved_model.load(str(out), tags=["serve"])
    if model.variables is not None:
        tf.train.Checkpoint(net=loaded).restore(str(model.variables)).expect_partial()
    signature = loaded.signatures["serving_default"]
    keys = list(signature.structured_input_signature[1])
    inputs = dict(zip(keys, map(tf.constant, model.feeds.values()), strict=True))
    found = list(signature(**inputs).values())
    assert why_not_close(model.values[model.ys[0]], found[0].numpy()) == ""


@pytest.mark.parametrize("make", [file_models.nested_calls, file_models.keras_lstm], ids=lambda make: make.__name__)
def test_a_signature_of_gradients_is_called_by_name(make: Any, tmp_path: Path) -> None:
    describe(make(tmp_path), tmp_path)
    model = file_store.described(tmp_path)
    graph = graphgrad.load(model.path)
    xs = [graph.tensor(signatures.tensor_name(graph, x, signatures.INPUTS)) for x in model.xs]
    found = graphgrad.gradients([graph.tensor(signatures.tensor_name(graph, model.ys[0]))], xs, graph=graph)
    signatures.export(graph, "gradients", xs, found)
    graphgrad.save(graph, tmp_path / "out")
    with tf.Graph().as_default(), tf1.Session() as session:
        meta = tf1.saved_model.load(session, ["serve"], str(tmp_path / "out"))
        made = meta.signature_def["gradients"]
        feeds = {info.name: model.feeds[key] for key, info in made.inputs.items()}
        for key, value in session.run({k: info.name for k, info in made.outputs.items()}, feeds).items():
            assert why_not_close(model.values[f"d{key}"], value) == "", key
    loaded = tf.saved_model.load(str(tmp_path / "out"))
    found = loaded.signatures["gradients"](**{key: tf.constant(value) for key, value in model.feeds.items()})
    assert {f"d{key}" for key in found} == {f"d{x}" for x in model.xs}
    for key, value in found.items():
        assert why_not_close(model.values[f"d{key}"], value.numpy()) == "", key


SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.mark.parametrize("sample", ["08_saved_model", "10_lstm"])
def test_the_sample_of_a_saved_model(sample: str) -> None:
    folder = SAMPLES / sample
    case = file_models.signature_case(str(folder / "model"), dict(np.load(folder / "feeds.npz")))
    model = Model(folder / "model", None, case.ys, case.xs, case.feeds, case.values)
    graph, tensors, feeds = named(model)
    check(model, tensors, graphgrad.evaluate(graph, list(tensors.values()), feeds), "in the interpreter")


@pytest.mark.parametrize(
    ("model", "xs", "reads", "more"),
    [
        (
            "09_checkpoint/model",
            "kernel/part_0 kernel/part_1 bias",
            "kernel/part_0/read kernel/part_1/read bias/read",
            {},
        ),
        ("11_dynamic_rnn/model", "steps rnn/basic_rnn_cell/kernel rnn/basic_rnn_cell/bias", "", {}),
        ("12_cond/graph", "x scale", "", {}),
        ("12_cond/graph", "x scale", "", {"training": np.array(False)}),
    ],
)
def test_the_sample_of_a_meta_graph(model: str, xs: str, reads: str, more: dict[str, Any]) -> None:
    prefix = SAMPLES / model
    feeds = dict(np.load(prefix.parent / "feeds.npz")) | more
    tf1.disable_control_flow_v2()
    with tf.Graph().as_default() as theirs, tf1.Session() as session:
        saver = tf1.train.import_meta_graph(f"{prefix}.meta")
        if saver is not None:
            saver.restore(session, str(prefix))
        given = {f"{name}:0": value for name, value in feeds.items()}
        loss, at = theirs.get_tensor_by_name("loss:0"), [f"{x}:0" for x in (reads or xs).split()]
        expected = session.run([loss, *tf1.gradients(loss, [theirs.get_tensor_by_name(x) for x in at])], given)
    graph = graphgrad.load(f"{prefix}.meta")
    found = graphgrad.gradients("loss", xs.split(), graph=graph)
    variables = restored.variables_of(graph, prefix) if saver is not None else {}
    values = graphgrad.evaluate(graph, ["loss", *found], feeds, variables)
    for value, wanted in zip(values, expected, strict=True):
        assert why_not_close(wanted, value) == ""
