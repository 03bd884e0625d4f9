"""Models as TensorFlow wrote them: what is computed from them, and what is written back."""

from __future__ import annotations

import filecmp
import json
from pathlib import Path

import numpy as np
import pytest

import graphgrad
from graphgrad.formats import wire
from graphgrad.schema import graph_pb2, saved_model_pb2
from tests import file_store
from tests.closeness import why_not_close
from tests.commands import run
from tests.file_store import Model


def options(model: Model, folder: Path) -> list[object]:
    """The options of `eval` that give feeds and variables."""
    np.savez(folder / "fed.npz", **model.feeds)
    given: list[object] = ["--feeds", folder / "fed.npz"]
    return given if model.variables is None else [*given, "--variables", model.variables]


def differentiated(model: Model, out: Path, *more: object) -> dict[str, str]:
    """Adds the gradients; the tensor of each x's."""
    arguments = ["--ys", ",".join(model.ys), "--xs", ",".join(model.xs), "-o", out, "--densify", "--json", *more]
    result = run("add-gradients", model.path, *arguments)
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)["gradients"]
    return {f"d{x}": entry["tensor"] for x, entry in zip(model.xs, found, strict=True)}


@pytest.mark.parametrize("name", file_store.NAMES)
def test_values_and_gradients_are_tensorflows(name: str, tmp_path: Path) -> None:
    model = file_store.unpacked(name, tmp_path)
    out = tmp_path / f"with_gradients{model.path.suffix}"
    fetches = {y: y for y in model.ys} | differentiated(model, out)
    found = tmp_path / "found.npz"
    result = run("eval", out, "--fetch", ",".join(fetches.values()), *options(model, tmp_path), "-o", found)
    assert result.exit_code == 0, result.stderr
    values = np.load(found)
    assert fetches.keys() == model.values.keys()
    for key, fetch in fetches.items():
        assert why_not_close(model.values[key], values[fetch]) == "", key


@pytest.mark.parametrize("name", ["nested_calls", "simple_save"])
def test_a_written_folder_is_complete_and_grows_in_place(name: str, tmp_path: Path) -> None:
    model = file_store.unpacked(name, tmp_path)
    out = tmp_path / "out"
    graph = graphgrad.load(model.path)
    graphgrad.save(graph, tmp_path / "same")
    assert not filecmp.dircmp(model.path, tmp_path / "same").diff_files
    assert (tmp_path / "same" / "saved_model.pb").read_bytes() == (model.path / "saved_model.pb").read_bytes()
    differentiated(model, out)
    compared = filecmp.dircmp(model.path, out)
    assert (compared.left_only, compared.right_only, compared.diff_files) == ([], [], ["saved_model.pb"])
    assert "variables" in compared.common_dirs and ("assets" in compared.common_dirs) == (name == "simple_save")
    for folder in compared.common_dirs:
        assert not filecmp.dircmp(model.path / folder, out / folder).diff_files
    before, after = (
        saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes()) for folder in (model.path, out)
    )
    assert list(before.meta_graphs[1:]) == list(after.meta_graphs[1:])
    old, new = before.meta_graphs[0], after.meta_graphs[0]
    old.ClearField("graph_def")
    new.ClearField("graph_def")
    listed, grown = (meta.meta_info_def.stripped_op_list.op for meta in (old, new))
    assert list(grown[: len(listed)]) == list(listed)
    del grown[len(listed) :]
    assert old == new


def test_a_meta_graph_keeps_its_bytes(tmp_path: Path) -> None:
    model = file_store.unpacked("version_1", tmp_path)
    out = tmp_path / "out.meta"
    differentiated(model, out)
    before, after = model.path.read_bytes(), out.read_bytes()
    (info, graph), (new_info, grown) = (
        [
            *wire.find(memoryview(data), wire.whole(memoryview(data)), 1),
            *wire.find(memoryview(data), wire.whole(memoryview(data)), 2),
        ]
        for data in (before, after)
    )
    assert after[new_info.start :].startswith(before[info.start : info.end])
    assert after[grown.start :].startswith(before[graph.start : graph.end])
    assert after[new_info.end : grown.key] == before[info.end : graph.key]
    assert after[grown.end :] == before[graph.end :]


def test_unknown_fields_stay_at_every_depth(tmp_path: Path) -> None:
    model = file_store.unpacked("nested_calls", tmp_path)
    unknown = b"\xba\x3e\x03new"  # field 999
    saved = saved_model_pb2.SavedModel.FromString((model.path / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    graph.MergeFromString(unknown)
    graph.node[0].MergeFromString(unknown)
    saved.meta_graphs[0].MergeFromString(unknown)
    saved.MergeFromString(unknown)
    (model.path / "saved_model.pb").write_bytes(saved.SerializeToString())
    differentiated(model, tmp_path / "out")
    assert (tmp_path / "out" / "saved_model.pb").read_bytes().count(unknown) == 4


@pytest.mark.parametrize("suffix", [".meta.gz", ".pbtxt", ".json"])
def test_a_meta_graph_in_other_encodings(suffix: str, tmp_path: Path) -> None:
    model = file_store.unpacked("version_1", tmp_path)
    other = tmp_path / f"other{suffix}"
    graphgrad.save(graphgrad.load(model.path), other)
    again = graphgrad.load(other)
    assert again.source.kind == "meta-graph"
    assert again.meta == graphgrad.load(model.path).meta
    out = tmp_path / f"out{suffix}"
    differentiated(model._replace(path=other), out)
    assert run("diff", out, tmp_path / "out.meta").exit_code == 3  # which is not there yet
    differentiated(model, tmp_path / "out.meta")
    assert run("diff", out, tmp_path / "out.meta").exit_code == 0


def test_a_saved_model_as_text(tmp_path: Path) -> None:
    from google.protobuf import text_format

    model = file_store.unpacked("simple_save", tmp_path)
    saved = saved_model_pb2.SavedModel.FromString((model.path / "saved_model.pb").read_bytes())
    (model.path / "saved_model.pb").unlink()
    (model.path / "saved_model.pbtxt").write_text(text_format.MessageToString(saved))
    differentiated(model, tmp_path / "out")
    assert (tmp_path / "out" / "saved_model.pbtxt").exists()
    assert not (tmp_path / "out" / "saved_model.pb").exists()
    assert graphgrad.load(tmp_path / "out", "train").meta.meta_info_def.tags == ["train"]


def test_names_of_the_signature(tmp_path: Path) -> None:
    model = file_store.unpacked("simple_save", tmp_path)
    asked = ["--ys", "output", "--xs", "input", "--signature", "serving_default"]
    result = run("add-gradients", model.path, *asked, "-o", tmp_path / "out", "--json")
    assert [entry["x"] for entry in json.loads(result.stdout)["gradients"]] == ["x:0"]
    literal = f"input={model.feeds['x'].tolist()}"
    result = run("eval", model.path, "--fetch", "output", "--feed", literal, "--json")
    (fetch,) = json.loads(result.stdout)["fetches"]
    assert fetch["fetch"] == "output" and fetch["value"] == pytest.approx(float(model.values["loss"]), rel=1e-5)


def test_a_signature_of_gradients(tmp_path: Path) -> None:
    model = file_store.unpacked("nested_calls", tmp_path)
    fetches = differentiated(model, tmp_path / "out", "--export-signature", "gradients")
    graph = graphgrad.load(tmp_path / "out", signature="gradients")
    made = graph.meta.signature_def["gradients"]
    assert made.method_name == "tensorflow/serving/predict"
    assert {key: info.name for key, info in made.inputs.items()} == {"x": "serving_default_x:0"}
    assert {f"d{key}": info.name for key, info in made.outputs.items()} == fetches
    assert [dim.size for dim in made.outputs["x"].tensor_shape.dim] == [-1, 2]
    again = run("add-gradients", tmp_path / "out", "--ys", "y", "--xs", "x", "--export-signature", "gradients")
    assert (again.exit_code, again.stderr) == (
        2,
        "error: --export-signature: the model has a signature 'gradients' already\n",
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--signature", "serving_defalt"], 2, "no signature 'serving_defalt' (did you mean 'serving_default'?): "),
        (
            ["--tag-set", "serv"],
            2,
            "no meta graph has the tag set 'serv' (did you mean 'serve'?): there is serve, train",
        ),
        (
            ["--xs", "inputt"],
            2,
            "--xs: 'inputt' is neither a node of the graph nor in the signature (did you mean 'input'",
        ),
        (["-o", "FILE"], 2, "is a file, and a SavedModel is written as a folder"),
        (["-o", "OTHER"], 2, "is a folder that holds something else than a SavedModel"),
        (["-o", "-"], 2, "a SavedModel is a folder and cannot be written to standard output"),
    ],
)
def test_refused(arguments: list[str], code: int, message: str, tmp_path: Path) -> None:
    model = file_store.unpacked("simple_save", tmp_path)
    (tmp_path / "FILE").write_text("mine")
    (tmp_path / "OTHER").mkdir()
    (tmp_path / "OTHER" / "mine").write_text("mine")
    given = [str(tmp_path / a) if a in ("FILE", "OTHER") else a for a in arguments]
    usual = ["--ys", "loss", "--xs", "x", "-o", str(tmp_path / "out")]
    result = run("add-gradients", model.path, *usual, *given)
    assert result.exit_code == code
    assert message in result.stderr and result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".graphgrad-*"))
    assert (tmp_path / "FILE").read_text() == (tmp_path / "OTHER" / "mine").read_text() == "mine"


def test_folders_that_are_no_models(tmp_path: Path) -> None:
    model = file_store.unpacked("nested_calls", tmp_path)
    assert "without a saved_model.pb" in run("show", tmp_path).stderr
    (tmp_path / "graph.pb").write_bytes((model.path / "saved_model.pb").read_bytes())
    assert "give the folder that holds it" in run("show", tmp_path / "graph.pb").stderr
    assert run("show", model.path / "saved_model.pb").exit_code == 0
    data = (model.path / "saved_model.pb").read_bytes()
    (model.path / "saved_model.pb").write_bytes(data[: len(data) // 2])
    result = run("show", model.path)
    assert (result.exit_code, result.stderr.count("\n")) == (3, 1)


def test_signatures_are_shown_and_suggested(tmp_path: Path) -> None:
    model = file_store.unpacked("nested_calls", tmp_path)
    document = json.loads(run("inspect", model.path, "--suggest", "--json").stdout)
    sides = {"inputs": {"x": "serving_default_x:0"}, "outputs": {"y": "StatefulPartitionedCall:0"}}
    assert document["signatures"] == {"serving_default": sides}
    assert document["suggested"]["ys"] == ["StatefulPartitionedCall"]
    assert set(document["suggested"]["xs"]) == {"Variable", "Variable_1", "serving_default_x"}
    told = run("inspect", model.path, "--suggest").stdout
    assert "ys: y\n" in told and "--ys y --xs Variable,Variable_1,x\n" in told


@pytest.mark.parametrize("length", [*range(100, 140), 200, 300])
def test_a_binary_graph_is_recognised_however_long_its_first_node_is(length: int, tmp_path: Path) -> None:
    """The length is the second byte: 123 is a brace."""
    message = graph_pb2.GraphDef()
    node = message.node.add(op="NoOp")
    while node.ByteSize() < length:
        node.name += "n"
    (tmp_path / "m.pb").write_bytes(message.SerializeToString())
    assert len(graphgrad.load(tmp_path / "m.pb")) == 1


def test_what_holds_a_model_is_told_from_what_lies_beside_it(tmp_path: Path) -> None:
    sample = Path(__file__).parents[2] / "samples" / "09_checkpoint"
    inside = sample.parent / "08_saved_model"
    assert f"model.json (did you mean '{sample / 'model.meta'}'?)\n" in run("inspect", sample).stderr
    assert f"model.json (did you mean '{inside / 'model'}'?)\n" in run("inspect", inside).stderr
    assert f"(did you mean '{sample / 'model.meta'}'" in run("inspect", sample / "modle.meta").stderr
    assert run("inspect", tmp_path).stderr.endswith("saved_model.pbtxt or model.json\n")
    for name in ("model.index", "model.data-00000-of-00001"):
        result = run("inspect", sample / name)
        assert (result.exit_code, result.stderr) == (
            3,
            f"error: {sample / name}: it belongs to a checkpoint, which holds values and no graph: give the .meta file, "
            "and the checkpoint with --variables\n",
        )


@pytest.mark.parametrize("command", ["convert", "freeze"])
def test_kinds_of_others_are_not_written(command: str, tmp_path: Path) -> None:
    model = Path(__file__).parents[2] / "samples" / "01_mlp" / "graph.pb"
    result = run(command, model, "-o", tmp_path / "model.tflite")
    assert result.exit_code == 2 and "such files are not written: OUT ends in .pb, " in result.stderr
    assert not list(tmp_path.iterdir())
